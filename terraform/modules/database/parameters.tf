locals {
  # Parameters that PostgreSQL reads only at start. RDS refuses "immediate" for them.
  static_parameters = {
    "rds.logical_replication"  = "1"
    "shared_preload_libraries" = "pg_stat_statements,pgaudit,pg_cron"
  }

  dynamic_parameters = {
    "rds.force_ssl" = "1"
    # Statements that change the schema, not all: row data and passwords do not belong in a log.
    "log_statement"              = "ddl"
    "log_min_duration_statement" = "1000"
    "log_connections"            = "1"
    "log_disconnections"         = "1"
    "log_lock_waits"             = "1"
    "log_temp_files"             = "10240"
    "pgaudit.log"                = "ddl,role"
    # A replication slot whose reader is gone must not fill the disk: 10 GiB of WAL, in MB.
    "max_slot_wal_keep_size"              = "10240"
    "idle_in_transaction_session_timeout" = "600000"
  }
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name_prefix}-"
  family      = local.family
  description = "PostgreSQL ${var.postgres_version} of ${var.name_prefix}"

  dynamic "parameter" {
    for_each = local.static_parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }

  dynamic "parameter" {
    for_each = local.dynamic_parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  lifecycle {
    # A new major version needs a new family while the instance still uses the old group.
    create_before_destroy = true
  }
}
