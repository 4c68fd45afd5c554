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

variable "cidr" {
  description = "Address range of the VPC, a /16."
  type        = string
}

variable "zones" {
  description = "Names of the availability zones."
  type        = list(string)
}

variable "nat_gateways" {
  description = "`single` or `per_zone`."
  type        = string
}

variable "interface_endpoints" {
  description = "AWS services reached through interface endpoints, such as `ecr.api`."
  type        = set(string)
}

variable "flow_log_traffic" {
  description = "Traffic that the flow log records: `ALL`, `ACCEPT` or `REJECT`."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the flow log is kept."
  type        = number
}

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the flow log."
  type        = string
}
