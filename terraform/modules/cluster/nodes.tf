locals {
  ami_types = {
    arm64  = "AL2023_ARM_64_STANDARD"
    x86_64 = "AL2023_x86_64_STANDARD"
  }
}

# One group a zone: the autoscaler can then grow the zone in which a volume or a spread constraint needs a node.
resource "aws_eks_node_group" "this" {
  for_each = var.subnet_ids

  cluster_name    = aws_eks_cluster.this.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [each.value]
  version         = var.kubernetes_version
  ami_type        = local.ami_types[var.nodes.architecture]
  instance_types  = var.nodes.instance_types
  capacity_type   = "ON_DEMAND"

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  scaling_config {
    min_size     = var.nodes.min_per_zone
    max_size     = var.nodes.max_per_zone
    desired_size = var.nodes.desired_per_zone
  }

  update_config {
    max_unavailable = 1
  }

  node_repair_config {
    enabled = true
  }

  lifecycle {
    # The cluster autoscaler owns this number once the group exists.
    ignore_changes = [scaling_config[0].desired_size]
  }

  # A node that joins before the CNI can configure it stays NotReady and fails the group.
  depends_on = [
    aws_eks_addon.network,
    aws_iam_role_policy_attachment.node,
  ]
}

resource "aws_launch_template" "node" {
  name_prefix            = "${var.name}-node-"
  update_default_version = true

  # Naming any group here makes EKS leave out its own, without which nodes cannot join: name both.
  vpc_security_group_ids = [aws_eks_cluster.this.vpc_config[0].cluster_security_group_id, aws_security_group.node.id]

  block_device_mappings {
    device_name = "/dev/xvda"

    # Encrypted with the account's own aws/ebs key: a key of ours would have to name the service-linked role of
    # EC2 Auto Scaling, which does not exist in a fresh account.
    ebs {
      volume_type           = "gp3"
      volume_size           = var.nodes.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  tags = { Name = "${var.name}-node" }

  # One hop: pods cannot reach the node's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = "${var.name}-node" })
  }

  tag_specifications {
    resource_type = "volume"
    tags          = merge(var.tags, { Name = "${var.name}-node" })
  }

  # No create_before_destroy: Terraform hands it on to all that this depends on, the cluster and the subnets among
  # them, whose names and addresses can be there only once. A template is changed by a new version, never replaced.
}

# Names the nodes to the database before the cluster exists, so that both, the two slowest things to make, are made at
# the same time. Traffic within the cluster is ruled by the group that EKS makes and attaches as well.
resource "aws_security_group" "node" {
  name_prefix = "${var.name}-node-"
  description = "Cluster nodes and their pods, as clients of the database"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-node" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role" "node" {
  name                 = "${var.name}-node"
  description          = "Lets nodes of ${var.name} join it and pull images"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

# The CNI's rights are the role of its service account, not of every pod on the node.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${var.partition}:iam::aws:policy/${each.value}"
}
