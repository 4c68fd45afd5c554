output "storage_bucket" {
  description = "Bucket of Supabase Storage."
  value       = module.storage.id
}

output "storage_bucket_arn" {
  description = "ARN of the bucket of Supabase Storage, known at plan."
  value       = "${local.arn_prefix}${local.storage_name}"
}

output "backup_bucket" {
  description = "Bucket of the logical backups."
  value       = module.backup.id
}

output "backup_bucket_arn" {
  description = "ARN of the bucket of the logical backups, known at plan."
  value       = "${local.arn_prefix}${local.backup_name}"
}

output "access_logs_bucket" {
  description = "Bucket of the access logs, or null."
  value       = one(module.logs[*].id)
}
