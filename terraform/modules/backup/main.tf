# Backups outside the reach of whoever owns the database: a locked vault, a copy in another region,
# and a weekly restore that proves they can be used.

resource "aws_backup_vault" "this" {
  name          = var.name_prefix
  kms_key_arn   = var.kms_key_arn
  force_destroy = var.force_destroy
}

# Without changeable_for_days the lock can still be lifted by an administrator; with it, by nobody and for ever.
resource "aws_backup_vault_lock_configuration" "this" {
  count = var.vault_lock ? 1 : 0

  backup_vault_name  = aws_backup_vault.this.name
  min_retention_days = 7
  max_retention_days = max(365, var.retention_days)
}

resource "aws_backup_plan" "this" {
  name = var.name_prefix

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.this.name
    schedule          = "cron(0 5 * * ? *)"
    start_window      = 60
    completion_window = 360

    # Rights on a recovery point go by its tags. It takes over those of what was saved, unless AWS Backup may not read them.
    recovery_point_tags = var.tags

    lifecycle {
      delete_after = var.retention_days
    }

    dynamic "copy_action" {
      for_each = var.copy_region == null ? [] : [var.copy_region]

      content {
        # Made by terraform/bootstrap, so that it outlives the environment.
        destination_vault_arn = "arn:${var.partition}:backup:${copy_action.value}:${var.account_id}:backup-vault:${var.name_prefix}-copy"

        lifecycle {
          delete_after = var.retention_days
        }
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = "supabase"
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = var.resource_arns

  depends_on = [aws_iam_role_policy_attachment.this]
}

resource "aws_backup_restore_testing_plan" "this" {
  # Letters, digits and underscores only.
  name                         = replace(var.name_prefix, "-", "_")
  schedule_expression          = "cron(0 7 ? * SUN *)"
  schedule_expression_timezone = "Etc/UTC"
  start_window_hours           = 2

  recovery_point_selection {
    algorithm             = "LATEST_WITHIN_WINDOW"
    include_vaults        = [aws_backup_vault.this.arn]
    recovery_point_types  = ["SNAPSHOT"]
    selection_window_days = 7
  }
}

resource "aws_backup_restore_testing_selection" "database" {
  name                      = "database"
  restore_testing_plan_name = aws_backup_restore_testing_plan.this.name
  protected_resource_type   = "RDS"
  protected_resource_arns   = [var.database_arn]
  iam_role_arn              = aws_iam_role.this.arn
  validation_window_hours   = 4

  restore_metadata_overrides = {
    dbSubnetGroupName = var.name_prefix
    multiAz           = "false"
  }

  depends_on = [aws_iam_role_policy_attachment.this]
}

resource "aws_iam_role" "this" {
  name                 = "${var.name_prefix}-aws-backup"
  description          = "Lets AWS Backup save and restore what ${var.name_prefix} keeps"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "backup.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset([
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup",
  ])

  role       = aws_iam_role.this.name
  policy_arn = "arn:${var.partition}:iam::aws:policy/${each.value}"
}
