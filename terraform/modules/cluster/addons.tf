locals {
  oidc = {
    provider_arn = aws_iam_openid_connect_provider.this.arn
    issuer       = aws_eks_cluster.this.identity[0].oidc[0].issuer
  }

  # By Kubernetes minor and add-on, where the default of EKS has to be avoided.
  addon_pins = {}

  versions = {
    for name, default in data.aws_eks_addon_version.default :
    name => try(local.addon_pins[var.kubernetes_version][name], default.version)
  }

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

# Named in each plan: an add-on without a version gets the default when it is made, and keeps that while the cluster is
# upgraded from minor to minor.
data "aws_eks_addon_version" "default" {
  for_each = toset(concat(keys(local.network_addons), keys(local.node_addons)))

  addon_name         = each.key
  kubernetes_version = var.kubernetes_version
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
