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

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here, or null."
  type        = string
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "oidc" {
  description = "Identity provider of the cluster: its ARN and its issuer URL."
  type = object({
    provider_arn = string
    issuer       = string
  })
}

variable "vpc_id" {
  description = "VPC in which the load balancer controller may change security groups."
  type        = string
}

variable "parameter_prefix" {
  description = "Path below which the parameters of Supabase lie, such as `/dev/supabase`."
  type        = string
}

variable "storage_bucket_arn" {
  description = "Bucket of Supabase Storage."
  type        = string
}

variable "backup_bucket_arn" {
  description = "Bucket of the logical backups."
  type        = string
}

variable "key_arns" {
  description = "KMS keys that the workloads use."
  type = object({
    secrets = string
    storage = string
  })
}
