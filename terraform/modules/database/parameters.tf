resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name_prefix}-"
  family      = local.family
  description = "PostgreSQL ${var.postgres_version} of ${var.name_prefix}"

  # PostgreSQL reads these only at start; RDS refuses "immediate" for them.
  parameter {
    name         = "rds.logical_replication"
    value        = "1"
    apply_method = "pending-reboot"
  }

  parameter {
    name         = "shared_preload_libraries"
    value        = "pg_stat_statements,pgaudit,pg_cron"
    apply_method = "pending-reboot"
  }

  # The only database in which pg_cron can be made; RDS takes `postgres` unless told, and Supabase lives in its own.
  parameter {
    name         = "cron.database_name"
    value        = var.database_name
    apply_method = "pending-reboot"
  }

  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "immediate"
  }

  # Statements that change the schema, not all: row data and passwords do not belong in a log.
  parameter {
    name         = "log_statement"
    value        = "ddl"
    apply_method = "immediate"
  }

  parameter {
    name         = "log_min_duration_statement"
    value        = "1000"
    apply_method = "immediate"
  }

  parameter {
    name         = "log_connections"
    value        = "1"
    apply_method = "immediate"
  }

  parameter {
    name         = "log_disconnections"
    value        = "1"
    apply_method = "immediate"
  }

  parameter {
    name         = "log_lock_waits"
    value        = "1"
    apply_method = "immediate"
  }

  parameter {
    name         = "log_temp_files"
    value        = "10240"
    apply_method = "immediate"
  }

  parameter {
    name         = "pgaudit.log"
    value        = "ddl,role"
    apply_method = "immediate"
  }

  # A replication slot whose reader is gone must not fill the disk: 10 GiB of WAL, in MB.
  parameter {
    name         = "max_slot_wal_keep_size"
    value        = "10240"
    apply_method = "immediate"
  }

  parameter {
    name         = "idle_in_transaction_session_timeout"
    value        = "600000"
    apply_method = "immediate"
  }

  tags = { Name = "${var.name_prefix}-${var.postgres_version}" }

  lifecycle {
    # A new major version needs a new family while the instance still uses the old group.
    create_before_destroy = true
  }
}
