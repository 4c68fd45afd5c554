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

variable "deletion_window_days" {
  description = "Days between the request to delete a key and its deletion, 7 to 30; until then it can be recovered."
  type        = number
}
