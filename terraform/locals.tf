locals {
  name_prefix = "supabase-${var.environment}"

  # The one place that tags come from; resources add no more than a Name.
  tags = {
    Project     = "supabase"
    Environment = var.environment
    ManagedBy   = "terraform"
    Repository  = var.repository
    CostCenter  = var.cost_center
  }

  partition = (
    startswith(var.region, "cn-") ? "aws-cn" :
    startswith(var.region, "us-gov-") ? "aws-us-gov" :
    "aws"
  )

  parameter_prefix         = "/${var.environment}/supabase"
  hostname                 = var.domain == null ? null : "${var.api_subdomain}.${var.domain}"
  permissions_boundary_arn = var.permissions_boundary ? "arn:${local.partition}:iam::${var.account_id}:policy/${local.name_prefix}-boundary" : null

  # The role that terraform/bootstrap makes. KMS refuses a policy that names a role that is not there: it is, where it may
  # use the cluster.
  deploy_role_arn = one([
    for arn in distinct(values(var.cluster.access)[*].principal_arn) : arn
    if arn == "arn:${local.partition}:iam::${var.account_id}:role/${local.name_prefix}-deploy"
  ])

  # What terraform/bootstrap locks the vault of the copies to.
  copy_vault_max_days = 365

  # The apply that comes before a tear-down lifts what keeps data safe until then.
  deletion_protection = var.deletion_protection && !var.teardown
  force_destroy       = var.teardown
}
