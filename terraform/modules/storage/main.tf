# The buckets: objects of Supabase Storage, logical backups, access logs.

locals {
  storage_name = "${var.name_prefix}-storage-${var.account_id}-${var.region}"
  backup_name  = "${var.name_prefix}-backup-${var.account_id}-${var.region}"
  log_name     = "${var.name_prefix}-logs-${var.account_id}-${var.region}"

  # Built from names, so that policies are known at plan.
  arn_prefix = "arn:${var.partition}:s3:::"
}

module "storage" {
  source = "../bucket"

  name                    = local.storage_name
  arn                     = "${local.arn_prefix}${local.storage_name}"
  key                     = { arn = var.kms_key_arn }
  force_destroy           = var.force_destroy
  noncurrent_version_days = var.noncurrent_version_days
  intelligent_tiering     = true
  log_bucket              = one(module.logs[*].id)
}

resource "aws_s3_bucket_cors_configuration" "storage" {
  count = length(var.cors_allowed_origins) > 0 ? 1 : 0

  bucket = module.storage.id

  cors_rule {
    allowed_origins = var.cors_allowed_origins
    allowed_methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    allowed_headers = ["*"]
    expose_headers  = ["ETag"]
    max_age_seconds = 3600
  }
}

module "backup" {
  source = "../bucket"

  name                    = local.backup_name
  arn                     = "${local.arn_prefix}${local.backup_name}"
  key                     = { arn = var.kms_key_arn }
  force_destroy           = var.force_destroy
  noncurrent_version_days = 7
  expire_after_days       = var.backup_expire_days
  log_bucket              = one(module.logs[*].id)
}

module "logs" {
  source = "../bucket"
  count  = var.access_logs ? 1 : 0

  name                    = local.log_name
  arn                     = "${local.arn_prefix}${local.log_name}"
  force_destroy           = var.force_destroy
  noncurrent_version_days = 7
  expire_after_days       = var.log_retention_days

  policy_statements = concat(
    [
      for name in [local.storage_name, local.backup_name] : {
        Sid       = "AccessLogOf${name == local.storage_name ? "Storage" : "Backup"}"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.arn_prefix}${local.log_name}/s3/${name}/*"
        Condition = { StringEquals = {
          "aws:SourceAccount" = var.account_id
          "aws:SourceArn"     = "${local.arn_prefix}${name}"
        } }
      }
    ],
    [
      {
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
        Sid       = "LoadBalancerLogs"
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.arn_prefix}${local.log_name}/alb/AWSLogs/${var.account_id}/*"
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      }
    ],
  )
}
