# What depends on who runs Terraform and when, and on nothing else.
# It is a module of its own so that `terraform test` can set both with override_module:
# a test runs in workspace "default" and must not start failing on a date.

terraform {
  required_version = ">= 1.11, < 2.0"
}

output "workspace" {
  description = "Name of the selected workspace. It must equal the environment's name."
  value       = terraform.workspace
}

output "time" {
  description = "Time of the plan, RFC 3339, for checks against end-of-support dates."
  value       = plantimestamp()
}
