# Subnets, routes and security groups as they come out of the module.

mock_provider "aws" {}

override_data {
  target = data.aws_availability_zones.chosen
  values = {
    names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  }
}

variables {
  name_prefix              = "supabase-test"
  partition                = "aws"
  region                   = "eu-west-1"
  account_id               = "123456789012"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/supabase-test-boundary"
  cidr                     = "10.30.0.0/16"
  zones                    = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  nat_gateways             = "per_zone"
  interface_endpoints      = []
  flow_log_traffic         = "ALL"
  log_retention_days       = 365
  log_kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/test"
}

run "three_zones" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_eip.nat) == 3
    error_message = "Each zone has its own NAT gateway."
  }

  assert {
    condition     = length(aws_subnet.public) == 3 && length(aws_subnet.node) == 3 && length(aws_subnet.database) == 3
    error_message = "Each zone has a public, a node and a database subnet."
  }

  assert {
    condition = length(distinct(concat(
      [for subnet in aws_subnet.public : subnet.cidr_block],
      [for subnet in aws_subnet.node : subnet.cidr_block],
      [for subnet in aws_subnet.database : subnet.cidr_block],
    ))) == 9
    error_message = "No range is given twice."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.node : endswith(subnet.cidr_block, "/19")])
    error_message = "Pods take addresses of the node subnets, which are /19."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch != true])
    error_message = "Nothing gets a public address by being started."
  }

  assert {
    condition     = aws_route.internet.destination_cidr_block == "0.0.0.0/0" && length(aws_route.nat) == 3
    error_message = "The public and the node tables have a default route; no other route resource exists."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-west-1.s3"
    error_message = "S3 is reached through a gateway endpoint."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.retention_in_days == 365
    error_message = "Flow logs are kept for a year."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.flow.policy).Statement : statement.Sid => statement.Action } == {
      Write     = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      FindGroup = ["logs:DescribeLogGroups"]
    }
    error_message = "Flow logs find their group and write to it; they never make one."
  }

  assert {
    condition     = aws_iam_role.flow.permissions_boundary == "arn:aws:iam::123456789012:policy/supabase-test-boundary"
    error_message = "The role carries the boundary."
  }

  assert {
    condition     = length(aws_security_group.endpoint) == 0
    error_message = "Without interface endpoints there is no security group for them."
  }
}

run "one_gateway" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    nat_gateways = "single"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3
    error_message = "All zones leave through one NAT gateway."
  }
}

run "interface_endpoints" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    interface_endpoints = ["ecr.api", "ecr.dkr"]
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 2 && aws_vpc_security_group_ingress_rule.endpoint[0].cidr_ipv4 == "10.30.0.0/16" && aws_vpc_security_group_ingress_rule.endpoint[0].from_port == 443
    error_message = "Interface endpoints are reached from the VPC by TLS only."
  }
}

run "unknown_zone" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_availability_zones.chosen
    values = {
      names = ["eu-west-1a"]
    }
  }

  expect_failures = [data.aws_availability_zones.chosen]
}
