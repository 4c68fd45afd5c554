# Three tiers of subnets in each zone: public (load balancer, NAT), nodes (cluster), database (no way out).

locals {
  zones = slice(sort(data.aws_availability_zones.usable.names), 0, var.zone_count)

  # Cut from a /16: nodes get a /19 each, because with the VPC CNI every pod takes an address of its subnet.
  node_cidrs     = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 3, index) }
  public_cidrs   = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 8, 224 + index) }
  database_cidrs = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 8, 240 + index) }

  nat_zones = var.nat_gateways == "per_zone" ? local.zones : slice(local.zones, 0, 1)
}

# Local and Wavelength Zones are opt-in, cannot hold RDS, and would move every zone index when switched on.
data "aws_availability_zones" "usable" {
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name_prefix }
}

# The default group stays empty: whatever is started without a group of its own can reach nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-default-unused" }
}

resource "aws_subnet" "public" {
  for_each = local.public_cidrs

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = {
    Name                     = "${var.name_prefix}-public-${each.key}"
    "kubernetes.io/role/elb" = "1"
  }
}

resource "aws_subnet" "node" {
  for_each = local.node_cidrs

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = {
    Name                              = "${var.name_prefix}-node-${each.key}"
    "kubernetes.io/role/internal-elb" = "1"
  }
}

resource "aws_subnet" "database" {
  for_each = local.database_cidrs

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.name_prefix}-database-${each.key}" }
}

# The nodes' own group names them to the database before the cluster exists,
# so that both, the two slowest things to make, are made at the same time.
# Traffic within the cluster is ruled by the group that EKS makes and attaches as well.
resource "aws_security_group" "node" {
  name_prefix = "${var.name_prefix}-node-"
  description = "Cluster nodes and their pods, as clients of the database"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-node" }

  lifecycle {
    create_before_destroy = true
  }
}
