locals {
  oidc = {
    provider_arn = aws_iam_openid_connect_provider.this.arn
    issuer       = aws_eks_cluster.this.identity[0].oidc[0].issuer
  }

  # Versions by Kubernetes minor; null lets EKS take its default for that minor.
  # A pin goes here, and only here, when a default has to be avoided.
  addon_versions = {
    "1.35" = {
      vpc-cni            = null
      kube-proxy         = null
      coredns            = null
      aws-ebs-csi-driver = null
      metrics-server     = null
    }
    "1.36" = {
      vpc-cni            = null
      kube-proxy         = null
      coredns            = null
      aws-ebs-csi-driver = null
      metrics-server     = null
    }
  }

  versions = local.addon_versions[var.kubernetes_version]

  # What has to run before a node can be Ready, and what needs a node to run on.
  network_addons = {
    vpc-cni = {
      role_arn = module.vpc_cni_role.arn
      configuration = {
        enableNetworkPolicy = "true"
        # An interface that outlives its node is found and removed by its tags.
        env = { ADDITIONAL_ENI_TAGS = jsonencode(var.tags), ENABLE_PREFIX_DELEGATION = "true", WARM_PREFIX_TARGET = "1" }
      }
    }
    kube-proxy = { role_arn = null, configuration = null }
  }

  node_addons = {
    coredns = { role_arn = null, configuration = { replicaCount = 2 } }
    # Without them a volume that outlives its claim carries no tag that a tear-down looks for.
    aws-ebs-csi-driver = { role_arn = module.ebs_csi_role.arn, configuration = { controller = { extraVolumeTags = var.tags } } }
    metrics-server     = { role_arn = null, configuration = null }
  }
}

resource "aws_eks_addon" "network" {
  for_each = local.network_addons

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = local.versions[each.key]
  service_account_role_arn    = each.value.role_arn
  configuration_values        = each.value.configuration == null ? null : jsonencode(each.value.configuration)
  resolve_conflicts_on_create = "NONE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "node" {
  for_each = local.node_addons

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = local.versions[each.key]
  service_account_role_arn    = each.value.role_arn
  configuration_values        = each.value.configuration == null ? null : jsonencode(each.value.configuration)
  resolve_conflicts_on_create = "NONE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.this]
}

module "vpc_cni_role" {
  source = "../service-account-role"

  name                     = "${var.name}-vpc-cni"
  description              = "Lets the VPC CNI of ${var.name} give addresses to pods"
  namespace                = "kube-system"
  service_account          = "aws-node"
  oidc                     = local.oidc
  managed_policy_arns      = { cni = "arn:${var.partition}:iam::aws:policy/AmazonEKS_CNI_Policy" }
  permissions_boundary_arn = var.permissions_boundary_arn
}

module "ebs_csi_role" {
  source = "../service-account-role"

  name                     = "${var.name}-ebs-csi"
  description              = "Lets the EBS CSI driver of ${var.name} manage volumes"
  namespace                = "kube-system"
  service_account          = "ebs-csi-controller-sa"
  oidc                     = local.oidc
  managed_policy_arns      = { ebs = "arn:${var.partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" }
  permissions_boundary_arn = var.permissions_boundary_arn
}
