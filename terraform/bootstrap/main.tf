# Once for each account, by an administrator: the bucket that holds all Terraform state, and the identities that plan
# and deploy. Everything else is deployed by those identities.

locals {
  partition = (
    startswith(var.region, "cn-") ? "aws-cn" :
    startswith(var.region, "us-gov-") ? "aws-us-gov" :
    "aws"
  )

  tags = {
    Project   = "supabase"
    ManagedBy = "terraform"
    Component = "bootstrap"
  }

  state_bucket = "supabase-terraform-state-${var.account_id}-${var.region}"
  state_arn    = "arn:${local.partition}:s3:::${local.state_bucket}"
}

# State cannot be kept in a bucket that does not exist: whoever runs this makes it, bare, and this adopts it.
import {
  to = module.state_bucket.aws_s3_bucket.this
  id = local.state_bucket
}

module "state_bucket" {
  source = "../modules/bucket"

  name                    = local.state_bucket
  arn                     = local.state_arn
  force_destroy           = false
  noncurrent_version_days = 365
}

resource "aws_backup_vault" "copy" {
  for_each = toset([for name, environment in var.environments : name if environment.backup_copy])
  provider = aws.copy

  name        = "supabase-${each.key}-copy"
  kms_key_arn = aws_kms_key.copy[0].arn

  # Without it, identities of the account's other environments could empty it.
  tags = { Environment = each.key }
}

resource "aws_backup_vault_lock_configuration" "copy" {
  for_each = aws_backup_vault.copy
  provider = aws.copy

  backup_vault_name  = each.value.name
  min_retention_days = 7
  max_retention_days = 365
}

resource "aws_kms_key" "copy" {
  count    = anytrue([for environment in var.environments : environment.backup_copy]) ? 1 : 0
  provider = aws.copy

  description             = "Copies of the backups of Supabase"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountDecidesByIam"
        Effect    = "Allow"
        Action    = "kms:*"
        Resource  = "*"
        Principal = { AWS = "arn:${local.partition}:iam::${var.account_id}:root" }
      },
      {
        # It belongs to several environments: each of them uses it, none changes it.
        Sid       = "EnvironmentsOnlyUseIt"
        Effect    = "Deny"
        Action    = ["kms:CreateAlias", "kms:Delete*", "kms:Disable*", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:Update*"]
        Resource  = "*"
        Principal = { AWS = "arn:${local.partition}:iam::${var.account_id}:root" }
        Condition = { ArnLike = { "aws:PrincipalArn" = [for name in keys(var.environments) : "${local.iam_arn}:role/supabase-${name}-*"] } }
      },
    ]
  })
}
