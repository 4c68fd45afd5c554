variable "name_prefix" {
  description = "Prefix of every name, `supabase-<environment>`."
  type        = string
}

variable "environment" {
  description = "Value of the Environment tag that costs are counted by."
  type        = string
}

variable "monthly_budget_usd" {
  description = "Monthly budget in USD; alerts come at 80 % spent and at 100 % forecast."
  type        = number
}

variable "anomaly_threshold_usd" {
  description = "Total impact in USD from which an unusual spending is reported, or null for no watch."
  type        = number
}

variable "alerts_topic_arn" {
  description = "Topic that receives the alerts."
  type        = string
}
