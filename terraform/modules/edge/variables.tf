variable "name_prefix" {
  description = "Prefix of every name, `supabase-<environment>`."
  type        = string
}

variable "requests_per_5_minutes" {
  description = "Requests from one address in five minutes, beyond which it is blocked."
  type        = number
}

variable "log_retention_days" {
  description = "Days that the firewall's log is kept."
  type        = number
}

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the firewall's log."
  type        = string
}
