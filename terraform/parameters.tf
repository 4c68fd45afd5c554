# What people and other programs may look up without access to the Terraform state. Nothing secret: those are made and
# stored by xtask below the same prefix, and never pass through Terraform.

locals {
  parameters = {
    "cluster/name"        = module.cluster.name
    "database/host"       = module.database.host
    "database/identifier" = module.database.identifier
    "database/name"       = module.database.database_name
    "database/port"       = tostring(module.database.port)
    "storage/bucket"      = module.storage.storage_bucket
    "backup/bucket"       = module.storage.backup_bucket
  }
}

resource "aws_ssm_parameter" "this" {
  # checkov:skip=CKV2_AWS_34:Names and addresses, no secrets; encrypting them would only hide them from those who need them.
  for_each = local.parameters

  name        = "${local.parameter_prefix}/${each.key}"
  description = "Written by Terraform for ${local.name_prefix}; not secret"
  type        = "String"
  value       = each.value
}
