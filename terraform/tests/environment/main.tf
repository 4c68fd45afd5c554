# Reads the variables of an environment as they are checked in, so that tests run on what is deployed.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    terraform = {
      source = "terraform.io/builtin/terraform"
    }
  }
}

variable "name" {
  description = "Name of the environment."
  type        = string
}

locals {
  absent = { for name in ["alerts", "api_subdomain", "backup", "budget", "container_insights", "domain", "firewall", "log_retention_days", "storage"] : name => null }
}

output "values" {
  description = "Variables of the environment; null for those it leaves to their defaults."
  value       = merge(local.absent, provider::terraform::decode_tfvars(file("${path.module}/../../environments/${var.name}.tfvars")))
}
