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

variable "deploy_role_arn" {
  description = "ARN of the role that deploys, or null. KMS may take minutes until rights by tag hold for a new key; a role that its policy names need not wait."
  type        = string
}

variable "deletion_window_days" {
  description = "Days between the request to delete a key and its deletion, 7 to 30; until then it can be recovered."
  type        = number
}
