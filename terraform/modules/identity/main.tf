# One role for each workload of Kubernetes that calls AWS. The service accounts are those that our charts render.

locals {
  object_actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]

  parameters_arn = "arn:${var.partition}:ssm:${var.region}:${var.account_id}:parameter${var.parameter_prefix}"
  eks_arn        = "arn:${var.partition}:eks:${var.region}:${var.account_id}"

  workloads = {
    external_secrets = {
      description     = "Lets External Secrets read the parameters of Supabase"
      namespace       = "supabase"
      service_account = "secrets-reader"
      statements      = local.external_secrets_statements
    }
    storage = {
      description     = "Lets Supabase Storage keep objects in its bucket"
      namespace       = "supabase"
      service_account = "supabase-storage"
      statements      = local.storage_statements
    }
    backup = {
      description     = "Lets the dump job keep logical backups in their bucket"
      namespace       = "supabase"
      service_account = "supabase-backup"
      statements      = local.backup_statements
    }
    load_balancer_controller = {
      description     = "Lets the AWS Load Balancer Controller manage the load balancers of this cluster"
      namespace       = "kube-system"
      service_account = "aws-load-balancer-controller"
      statements      = local.load_balancer_controller_statements
    }
    cluster_autoscaler = {
      description     = "Lets the Cluster Autoscaler resize the node groups of this cluster"
      namespace       = "kube-system"
      service_account = "cluster-autoscaler"
      statements      = local.cluster_autoscaler_statements
    }
  }
}

module "role" {
  source   = "../service-account-role"
  for_each = local.workloads

  name                     = "${var.name_prefix}-${replace(each.key, "_", "-")}"
  description              = each.value.description
  namespace                = each.value.namespace
  service_account          = each.value.service_account
  oidc                     = var.oidc
  policy                   = jsonencode({ Version = "2012-10-17", Statement = each.value.statements })
  permissions_boundary_arn = var.permissions_boundary_arn
}
