# The control plane, its nodes and its add-ons.

mock_provider "aws" {
  mock_data "aws_eks_addon_version" {
    defaults = {
      version = "v1.35.0-eksbuild.1"
    }
  }
}

override_resource {
  target          = aws_eks_cluster.this
  override_during = plan
  values = {
    status                = "ACTIVE"
    identity              = [{ oidc = [{ issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/TEST" }] }]
    certificate_authority = [{ data = "Q0E=" }]
  }
}

override_resource {
  target          = aws_iam_openid_connect_provider.this
  override_during = plan
  values = {
    arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/TEST"
  }
}

variables {
  name                     = "supabase-test"
  partition                = "aws"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/supabase-test-boundary"
  tags                     = { Environment = "test" }
  kubernetes_version       = "1.35"
  vpc_id                   = "vpc-0123456789abcdef0"
  subnet_ids               = { eu-west-1a = "subnet-a", eu-west-1b = "subnet-b", eu-west-1c = "subnet-c" }
  service_cidr             = "172.20.0.0/16"
  public_access_cidrs      = []
  private_access_cidrs     = []
  zonal_shift              = true
  access                   = { deploy = { principal_arn = "arn:aws:iam::123456789012:role/deploy", policy = "AmazonEKSClusterAdminPolicy", namespaces = [] } }
  nodes                    = { architecture = "arm64", instance_types = ["t4g.xlarge"], disk_gib = 100, min_per_zone = 1, desired_per_zone = 1, max_per_zone = 3 }
  secrets_kms_key_arn      = "arn:aws:kms:eu-west-1:123456789012:key/secrets"
  log_retention_days       = 365
  log_kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/logs"
}

run "private" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "Without networks that may reach it, the API has no public endpoint."
  }

  assert {
    condition     = try(jsondecode(jsondecode(aws_eks_addon.network["vpc-cni"].configuration_values).env.ADDITIONAL_ENI_TAGS), {}) == { Environment = "test" }
    error_message = "Interfaces that outlive their node are found, and may be removed, by their tags."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.private_access) == 0
    error_message = "Without private networks that may reach it, the API answers the nodes alone."
  }

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Access comes from access entries only; creating the cluster gives none."
  }

  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "Extended support, at six times the price, is never entered."
  }

  assert {
    condition     = tolist(aws_eks_cluster.this.encryption_config[0].resources) == tolist(["secrets"]) && aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == "arn:aws:kms:eu-west-1:123456789012:key/secrets"
    error_message = "Secrets are encrypted with a key of ours."
  }

  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5 && aws_cloudwatch_log_group.control_plane.name == "/aws/eks/supabase-test/cluster" && aws_cloudwatch_log_group.control_plane.retention_in_days == 365 && aws_cloudwatch_log_group.control_plane.kms_key_id != null
    error_message = "All control plane logs go to an encrypted group with retention."
  }

  assert {
    condition     = length(aws_eks_access_entry.this) == 1 && endswith(aws_eks_access_policy_association.this["deploy"].policy_arn, "cluster-access-policy/AmazonEKSClusterAdminPolicy") && aws_eks_access_policy_association.this["deploy"].access_scope[0].type == "cluster"
    error_message = "The deployer is an administrator of the whole cluster."
  }
}

run "nodes" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  assert {
    condition     = length(aws_eks_node_group.this) == 3 && alltrue([for group in aws_eks_node_group.this : length(group.subnet_ids) == 1])
    error_message = "Each zone has its own node group."
  }

  assert {
    condition     = alltrue([for group in aws_eks_node_group.this : group.ami_type == "AL2023_ARM_64_STANDARD"])
    error_message = "Nodes run Amazon Linux 2023 of their architecture."
  }

  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_tokens == "required" && aws_launch_template.node.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Pods cannot reach the node's credentials."
  }

  assert {
    condition     = aws_launch_template.node.block_device_mappings[0].ebs[0].encrypted == "true" && aws_launch_template.node.block_device_mappings[0].ebs[0].volume_type == "gp3"
    error_message = "Node disks are encrypted gp3."
  }

  assert {
    condition     = aws_launch_template.node.key_name == null
    error_message = "Nodes take no SSH key."
  }

  assert {
    condition     = toset(keys(aws_iam_role_policy_attachment.node)) == toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])
    error_message = "The node role has no right to change network interfaces: that is the CNI's."
  }
}

run "x86_nodes" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    nodes = { architecture = "x86_64", instance_types = ["t3.large"], disk_gib = 50, min_per_zone = 1, desired_per_zone = 1, max_per_zone = 2 }
  }

  assert {
    condition     = alltrue([for group in aws_eks_node_group.this : group.ami_type == "AL2023_x86_64_STANDARD"])
    error_message = "Nodes run Amazon Linux 2023 of their architecture."
  }
}

run "addons" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  assert {
    condition     = toset(concat(keys(aws_eks_addon.network), keys(aws_eks_addon.node))) == toset(["vpc-cni", "kube-proxy", "coredns", "aws-ebs-csi-driver", "metrics-server"])
    error_message = "The add-ons are the five that the platform needs."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.network["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "The CNI enforces network policies."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.node["aws-ebs-csi-driver"].configuration_values).controller.extraVolumeTags == { Environment = "test" }
    error_message = "Volumes that Pods ask for carry the environment's tags, so that a tear-down finds them."
  }

  # A version that is left out is chosen once, when the add-on is made.
  assert {
    condition     = alltrue([for name, addon in merge(aws_eks_addon.network, aws_eks_addon.node) : addon.addon_version == "v1.35.0-eksbuild.1"])
    error_message = "Every add-on has the version that fits the Kubernetes minor."
  }

  assert {
    condition     = alltrue([for default in data.aws_eks_addon_version.default : default.kubernetes_version == var.kubernetes_version])
    error_message = "EKS is asked for the minor that the cluster is to have."
  }
}

run "private_to_some" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    private_access_cidrs = ["10.90.0.0/16"]
  }

  assert {
    condition = [for rule in aws_vpc_security_group_ingress_rule.private_access : [rule.cidr_ipv4, rule.ip_protocol, rule.from_port, rule.to_port]] == [
      ["10.90.0.0/16", "tcp", 443, 443],
    ]
    error_message = "A private network reaches the API, and nothing but the API."
  }
}

run "public_to_some" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    public_access_cidrs = ["203.0.113.0/24"]
    access              = { viewer = { principal_arn = "arn:aws:iam::123456789012:role/viewer", policy = "AmazonEKSViewPolicy", namespaces = ["supabase"] } }
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && tolist(aws_eks_cluster.this.vpc_config[0].public_access_cidrs) == tolist(["203.0.113.0/24"])
    error_message = "The public endpoint is open to the listed networks."
  }

  assert {
    condition     = aws_eks_access_policy_association.this["viewer"].access_scope[0].type == "namespace"
    error_message = "Namespaces narrow an access entry."
  }
}
