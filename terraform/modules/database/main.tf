locals {
  identifier         = var.name_prefix
  replica_identifier = "${var.name_prefix}-replica"
  family             = "postgres${var.postgres_version}"
  log_types          = ["postgresql", "upgrade"]
}

resource "aws_db_subnet_group" "this" {
  name        = var.name_prefix
  description = "Isolated subnets of ${var.name_prefix}"
  subnet_ids  = values(var.subnet_ids)
}

# Made before the instance, which would otherwise make them without encryption and keep them for ever.
resource "aws_cloudwatch_log_group" "this" {
  for_each = {
    for pair in setproduct(var.replica == null ? [local.identifier] : [local.identifier, local.replica_identifier], local.log_types) :
    "/aws/rds/instance/${pair[0]}/${pair[1]}" => pair
  }

  name              = each.key
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
}

resource "aws_db_instance" "primary" {
  # checkov:skip=CKV_AWS_293:Off only where an environment says so, as dev does, or in the apply before a tear-down.
  identifier = local.identifier
  engine     = "postgres"
  # The major version alone: RDS moves the minor one, and a minor here would fight it.
  engine_version = var.postgres_version
  instance_class = var.instance_class

  db_name  = var.database_name
  username = var.master_username
  # Write-only: the password is in neither plan nor state. A higher version makes AWS take the new one.
  password_wo         = var.password
  password_wo_version = var.password_version

  storage_type          = "gp3"
  allocated_storage     = var.storage_gib
  max_allocated_storage = var.max_storage_gib
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  multi_az               = var.multi_az
  parameter_group_name   = aws_db_parameter_group.this.name

  # No ca_cert_identifier: RDS already defaults to rds-ca-rsa2048-g1, and naming it costs a second modification.
  iam_database_authentication_enabled = true

  backup_retention_period = var.backup_retention_days
  # Both windows are UTC and must not overlap.
  backup_window              = "02:00-03:00"
  maintenance_window         = "sun:04:00-sun:05:00"
  auto_minor_version_upgrade = true
  # An upgrade that waited for its window would leave the replica without parameters that fit, and each plan until then
  # with something to do.
  allow_major_version_upgrade = var.major_upgrade
  apply_immediately           = var.major_upgrade
  copy_tags_to_snapshot       = true

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = 7
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = local.log_types

  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = !var.final_snapshot
  final_snapshot_identifier = "${local.identifier}-final-${substr(terraform_data.generation.id, 0, 8)}"
  delete_automated_backups  = true

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.monitoring]
}

# Stays the same for the life of the database, and differs from that of a database made again later,
# whose final snapshot would otherwise collide with the one already kept.
resource "terraform_data" "generation" {}

resource "aws_db_instance" "replica" {
  # checkov:skip=CKV_AWS_157:The replica is for reading; the primary's standby is what keeps the service up.
  count = var.replica == null ? 0 : 1

  identifier          = local.replica_identifier
  replicate_source_db = aws_db_instance.primary.identifier
  instance_class      = local.replica_class

  storage_type          = "gp3"
  max_allocated_storage = var.max_storage_gib
  storage_encrypted     = true

  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  multi_az               = var.replica.multi_az
  parameter_group_name   = aws_db_parameter_group.this.name

  iam_database_authentication_enabled = true

  maintenance_window         = "sun:05:00-sun:06:00"
  auto_minor_version_upgrade = true
  apply_immediately          = false
  copy_tags_to_snapshot      = true

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = 7
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = local.log_types

  deletion_protection = var.deletion_protection
  # AWS takes no final snapshot of a replica: its data are the primary's.
  skip_final_snapshot = true
}

resource "aws_iam_role" "monitoring" {
  name                 = "${var.name_prefix}-database-monitoring"
  description          = "Lets RDS write enhanced monitoring of ${var.name_prefix}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${var.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
