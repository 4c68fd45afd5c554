# The database, for dev and prod as they are checked in.

mock_provider "aws" {}

variables {
  name_prefix              = "supabase-test"
  partition                = "aws"
  account_id               = "123456789012"
  permissions_boundary_arn = null
  postgres_version         = "17"
  database_name            = "supabase"
  master_username          = "supabase_master"
  password                 = "only-for-this-test"
  password_version         = 1
  vpc_id                   = "vpc-0123456789abcdef0"
  subnet_ids               = { eu-west-1a = "subnet-a", eu-west-1b = "subnet-b" }
  client_security_group_id = "sg-0123456789abcdef0"
  kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/database"
  log_retention_days       = 365
  log_kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/logs"
  instance_class           = "db.t4g.medium"
  storage_gib              = 20
  max_storage_gib          = 100
  multi_az                 = true
  replica                  = null
  backup_retention_days    = 7
  deletion_protection      = true
  final_snapshot           = true
  major_upgrade            = false
}

run "read_dev" {
  module {
    source = "./tests/environment"
  }

  variables {
    name = "dev"
  }
}

run "dev" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    instance_class        = run.read_dev.values.database.instance_class
    storage_gib           = run.read_dev.values.database.storage_gib
    max_storage_gib       = run.read_dev.values.database.max_storage_gib
    multi_az              = run.read_dev.values.database.multi_az
    backup_retention_days = run.read_dev.values.database.backup_retention_days
    deletion_protection   = run.read_dev.values.deletion_protection
    final_snapshot        = run.read_dev.values.final_snapshot
  }

  assert {
    condition     = aws_db_instance.primary.instance_class == "db.t4g.medium" && aws_db_instance.primary.allocated_storage == 20
    error_message = "Dev has the smallest class."
  }

  assert {
    condition     = !aws_db_instance.primary.deletion_protection && aws_db_instance.primary.skip_final_snapshot
    error_message = "Dev can be destroyed without leaving anything."
  }

  assert {
    condition     = aws_db_instance.primary.backup_retention_period >= 7
    error_message = "Dev can go back a week."
  }

  assert {
    condition     = length(aws_db_instance.replica) == 0 && length(aws_cloudwatch_log_group.this) == 2
    error_message = "Dev has no replica."
  }
}

run "read_prod" {
  module {
    source = "./tests/environment"
  }

  variables {
    name = "prod"
  }
}

run "prod" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    instance_class        = run.read_prod.values.database.instance_class
    storage_gib           = run.read_prod.values.database.storage_gib
    max_storage_gib       = run.read_prod.values.database.max_storage_gib
    multi_az              = run.read_prod.values.database.multi_az
    replica               = { multi_az = false }
    backup_retention_days = run.read_prod.values.database.backup_retention_days
    deletion_protection   = run.read_prod.values.deletion_protection
    final_snapshot        = run.read_prod.values.final_snapshot
  }

  assert {
    condition     = aws_db_instance.primary.multi_az && aws_db_instance.primary.deletion_protection && !aws_db_instance.primary.skip_final_snapshot
    error_message = "Prod has a standby and is protected."
  }

  assert {
    condition     = aws_db_instance.primary.backup_retention_period >= 30
    error_message = "Prod can go back a month."
  }

  assert {
    condition     = length(aws_db_instance.replica) == 1 && aws_db_instance.replica[0].deletion_protection && aws_db_instance.replica[0].copy_tags_to_snapshot
    error_message = "Prod has a protected replica."
  }

  assert {
    condition     = aws_db_instance.replica[0].instance_class == aws_db_instance.primary.instance_class
    error_message = "The replica takes as many connections as the primary."
  }

  assert {
    condition     = toset(aws_db_instance.replica[0].enabled_cloudwatch_logs_exports) == toset(["postgresql", "upgrade"]) && length(aws_cloudwatch_log_group.this) == 4
    error_message = "The replica's logs are exported, to groups of their own."
  }
}

run "small_replica" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    instance_class = "db.r6g.xlarge"
    replica        = { instance_class = "db.r6g.large", multi_az = false }
  }

  expect_failures = [var.replica]
}

run "large_replica" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    instance_class = "db.r6g.large"
    replica        = { instance_class = "db.r6g.xlarge", multi_az = false }
  }

  assert {
    condition     = aws_db_instance.replica[0].instance_class == "db.r6g.xlarge"
    error_message = "A larger class than the primary's may be named."
  }
}

run "safe" {
  command = plan

  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_db_instance.primary.storage_encrypted && aws_db_instance.primary.kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/database" && aws_db_instance.primary.performance_insights_kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/database"
    error_message = "Storage and Performance Insights are encrypted with a key of ours."
  }

  assert {
    condition     = !aws_db_instance.primary.publicly_accessible && aws_db_instance.primary.engine_version == "17"
    error_message = "The database is private and follows minor versions by itself."
  }

  assert {
    condition     = aws_db_instance.primary.password == null && aws_db_instance.primary.password_wo_version == 1
    error_message = "The password is write-only."
  }

  assert {
    condition     = aws_db_instance.primary.max_allocated_storage > aws_db_instance.primary.allocated_storage
    error_message = "Storage grows by itself."
  }

  assert {
    condition     = aws_db_instance.primary.backup_window == "02:00-03:00" && aws_db_instance.primary.maintenance_window == "sun:04:00-sun:05:00"
    error_message = "Backup and maintenance do not meet."
  }
}

run "parameters" {
  command = plan

  module {
    source = "./modules/database"
  }

  assert {
    condition = alltrue([
      for parameter in aws_db_parameter_group.this.parameter : parameter.apply_method == (contains(["rds.logical_replication", "shared_preload_libraries", "cron.database_name", "max_connections", "shared_buffers", "max_wal_senders", "max_replication_slots", "max_worker_processes", "wal_level", "track_activity_query_size"], parameter.name) ? "pending-reboot" : "immediate")
    ])
    error_message = "RDS refuses apply_method immediate for a static parameter."
  }

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "The database refuses connections without TLS."
  }

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "log_statement"]) == "ddl"
    error_message = "Row data and passwords do not belong in the log."
  }

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.logical_replication"]) == "1"
    error_message = "Realtime needs logical replication."
  }

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "cron.database_name"]) == "supabase"
    error_message = "pg_cron can be made in one database only, and RDS takes `postgres` for it unless it is told."
  }

  assert {
    condition     = aws_db_parameter_group.this.family == "postgres17"
    error_message = "The parameter family follows the major version."
  }
}

run "major_upgrade" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    major_upgrade = true
  }

  assert {
    condition     = aws_db_instance.primary.allow_major_version_upgrade && aws_db_instance.primary.apply_immediately
    error_message = "An upgrade that was asked for is allowed, and done at once."
  }
}

run "no_major_upgrade" {
  command = plan

  module {
    source = "./modules/database"
  }

  assert {
    condition     = !aws_db_instance.primary.allow_major_version_upgrade && !aws_db_instance.primary.apply_immediately
    error_message = "Nobody upgrades a database by raising a number alone."
  }
}

run "security_group" {
  command = plan

  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.client.referenced_security_group_id == "sg-0123456789abcdef0" && aws_vpc_security_group_ingress_rule.client.from_port == 5432 && aws_vpc_security_group_ingress_rule.client.to_port == 5432 && aws_vpc_security_group_ingress_rule.client.ip_protocol == "tcp"
    error_message = "Only members of the clients' group reach PostgreSQL."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.client.security_group_id == "sg-0123456789abcdef0"
    error_message = "The only egress rule is the clients': the database has none."
  }
}

# A new password reaches RDS when its version rises, and only then.
run "rotation" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    password         = "another-for-this-test"
    password_version = 2
  }

  assert {
    condition     = aws_db_instance.primary.password_wo_version == 2 && aws_db_instance.primary.password == null
    error_message = "The version of the write-only password rises with database_password_version."
  }
}
