# Three tiers of subnets in each zone: public (load balancer, NAT), nodes (cluster), database (no way out).

locals {
  zones = sort(data.aws_availability_zones.chosen.names)

  # Cut from a /16: nodes get a /19 each, because with the VPC CNI every pod takes an address of its subnet.
  node_cidrs     = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 3, index) }
  public_cidrs   = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 8, 224 + index) }
  database_cidrs = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 8, 240 + index) }

  nat_zones = var.nat_gateways == "per_zone" ? local.zones : slice(local.zones, 0, 1)
}

# Chosen by name: a zone that AWS adds later must not move the subnets of the others.
data "aws_availability_zones" "chosen" {
  state = "available"

  filter {
    name   = "zone-name"
    values = var.zones
  }

  lifecycle {
    postcondition {
      condition     = length(self.names) == length(var.zones)
      error_message = "network.zones (${join(", ", var.zones)}) names a zone that is not available to this account: `aws ec2 describe-availability-zones` lists those that are."
    }
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
