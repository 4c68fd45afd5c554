# A tear-down leaves the database's key to the snapshots that are encrypted with it. A new environment of the same name
# takes it over: its alias is taken, and the snapshots may be restored into it.

import {
  for_each = var.kept_keys
  to       = module.encryption.aws_kms_key.this[each.key]
  id       = each.value
}

import {
  for_each = var.kept_keys
  to       = module.encryption.aws_kms_alias.this[each.key]
  id       = "alias/${local.name_prefix}-${each.key}"
}
