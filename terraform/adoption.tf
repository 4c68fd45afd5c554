# Log groups that exist before Terraform has made them. Services deliver their last lines late, and make a group again that
# a tear-down deleted: without tags, without encryption, for ever. Each is taken over and put right, where creating it would
# fail. The runner finds them and gives their names; import blocks take no other switch.

import {
  for_each = toset([for name in var.existing_log_groups : name if startswith(name, "/aws/eks/")])
  to       = module.cluster.aws_cloudwatch_log_group.control_plane
  id       = each.value
}

import {
  for_each = toset([for name in var.existing_log_groups : name if startswith(name, "/aws/rds/")])
  to       = module.database.aws_cloudwatch_log_group.this[each.value]
  id       = each.value
}

import {
  for_each = toset([for name in var.existing_log_groups : name if startswith(name, "/aws/vpc/")])
  to       = module.network.aws_cloudwatch_log_group.flow
  id       = each.value
}

import {
  for_each = { for name in var.existing_log_groups : reverse(split("/", name))[0] => name if startswith(name, "/aws/containerinsights/") }
  to       = module.observability.aws_cloudwatch_log_group.insights[each.key]
  id       = each.value
}

import {
  for_each = toset([for name in var.existing_log_groups : name if startswith(name, "aws-waf-logs-")])
  to       = module.edge[0].aws_cloudwatch_log_group.waf
  id       = each.value
}
