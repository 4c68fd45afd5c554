# One customer-managed key for each kind of data, so that a grant on one opens nothing else.

locals {
  logs_arn = "arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:*"

  account_statement = {
    Sid       = "AccountDecidesByIam"
    Effect    = "Allow"
    Action    = "kms:*"
    Resource  = "*"
    Principal = { AWS = "arn:${var.partition}:iam::${var.account_id}:root" }
  }

  # Its own rights on keys go by their tags, which KMS may see minutes after the key is made. It can write this policy, so
  # that naming fewer actions would keep it from nothing.
  deploy_statements = [for arn in compact([var.deploy_role_arn]) : {
    Sid       = "DeployRoleFromTheStart"
    Effect    = "Allow"
    Action    = "kms:*"
    Resource  = "*"
    Principal = { AWS = arn }
  }]

  # AWS services that write for us under their own name cannot be granted through IAM.
  service_statements = {
    logs = {
      Sid       = "CloudWatchLogs"
      Effect    = "Allow"
      Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
      Resource  = "*"
      Principal = { Service = "logs.${var.region}.amazonaws.com" }
      Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = local.logs_arn } }
    }
    alerts = {
      Sid    = "AlertPublishers"
      Effect = "Allow"
      Action = ["kms:Decrypt", "kms:GenerateDataKey*"]
      Principal = { Service = [
        "budgets.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "costalerts.amazonaws.com",
        "events.amazonaws.com",
        "events.rds.amazonaws.com",
      ] }
      Resource  = "*"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }
  }

  keys = {
    cluster    = { description = "Kubernetes Secrets in etcd", services = [] }
    database   = { description = "Database storage, snapshots and Performance Insights", services = [] }
    storage    = { description = "Objects of the storage and backup buckets", services = [] }
    secrets    = { description = "SecureString parameters", services = [] }
    operations = { description = "Logs, alerts and backup vault", services = ["logs", "alerts"] }
  }
}

resource "aws_kms_key" "this" {
  for_each = local.keys

  description             = "${var.name_prefix}: ${each.value.description}"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days

  # Nothing else tells the keys apart before their aliases exist.
  tags = { Name = "${var.name_prefix}-${each.key}" }

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.account_statement], local.deploy_statements, [for service in each.value.services : local.service_statements[service]])
  })
}

resource "aws_kms_alias" "this" {
  for_each = local.keys

  name          = "alias/${var.name_prefix}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
