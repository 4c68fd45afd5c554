variable "name" {
  description = "Name of the role."
  type        = string

  validation {
    condition     = length(var.name) <= 64
    error_message = "Role name \"${var.name}\" is longer than the 64 characters IAM allows: choose a shorter environment name."
  }
}

variable "description" {
  description = "What the workload may do with the role."
  type        = string
}

variable "namespace" {
  description = "Namespace of the service account."
  type        = string
}

variable "service_account" {
  description = "Name of the service account."
  type        = string
}

variable "oidc" {
  description = "Identity provider of the cluster: its ARN and its issuer URL."
  type = object({
    provider_arn = string
    issuer       = string
  })
}

variable "policy" {
  description = "Policy of the role as JSON, or null when AWS-managed policies say it all."
  type        = string
  default     = null
}

variable "managed_policy_arns" {
  description = "AWS-managed policies of the role, by a name of ours."
  type        = map(string)
  default     = {}
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role, or null."
  type        = string
}
