variable "name_prefix" {
  description = "Prefix of every name, `supabase-<environment>`."
  type        = string
}

variable "partition" {
  description = "AWS partition of the ARNs, such as `aws`."
  type        = string
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "account_id" {
  description = "AWS account id."
  type        = string
}

variable "kms_key_arn" {
  description = "KMS key of stored objects and backups."
  type        = string
}

variable "force_destroy" {
  description = "Whether destroying a bucket deletes its objects with it."
  type        = bool
}

variable "noncurrent_version_days" {
  description = "Days that an overwritten or deleted object of Supabase Storage can be had back."
  type        = number
}

variable "cors_allowed_origins" {
  description = "Origins of web pages that may talk to the bucket directly, by presigned URL."
  type        = list(string)
}

variable "backup_expire_days" {
  description = "Days that a logical backup is kept."
  type        = number
}

variable "access_logs" {
  description = "Whether there is a bucket for access logs of the buckets and the load balancer."
  type        = bool
}

variable "log_retention_days" {
  description = "Days that access logs are kept."
  type        = number
}
