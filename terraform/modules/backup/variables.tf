variable "name_prefix" {
  description = "Prefix of every name, `supabase-<environment>`."
  type        = string
}

variable "partition" {
  description = "AWS partition of the ARNs, such as `aws`."
  type        = string
}

variable "account_id" {
  description = "AWS account id."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here, or null."
  type        = string
}

variable "tags" {
  description = "Tags of the environment, for recovery points: they are not Terraform's resources."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "KMS key of the vault."
  type        = string
}

variable "retention_days" {
  description = "Days that a backup is kept."
  type        = number
}

variable "vault_lock" {
  description = "Whether the vault refuses to delete backups before their time."
  type        = bool
}

variable "copy_region" {
  description = "Region of the copies, or null for none."
  type        = string
}

variable "force_destroy" {
  description = "Whether destroying the vault deletes its backups with it."
  type        = bool
}

variable "database_arn" {
  description = "ARN of the database that is restored as a test."
  type        = string
}

variable "resource_arns" {
  description = "ARNs of what is backed up."
  type        = list(string)
}
