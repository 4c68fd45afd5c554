output "state_bucket" {
  description = "Bucket of all Terraform state of the account."
  value       = module.state_bucket.id
}

output "role_arns" {
  description = "Roles by `<environment>-plan` and `<environment>-deploy`; those without anybody to assume them are not made."
  value       = { for role, resource in aws_iam_role.this : role => resource.arn }
}

output "boundary_arns" {
  description = "Permissions boundaries by environment."
  value       = { for environment, policy in aws_iam_policy.boundary : environment => policy.arn }
}

output "backup_copy_vault_arns" {
  description = "Vaults that receive copies of backups, by environment."
  value       = { for environment, vault in aws_backup_vault.copy : environment => vault.arn }
}
