output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "zones" {
  description = "Availability zones in use, sorted."
  value       = local.zones
}

output "public_subnet_ids" {
  description = "Public subnets by zone."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "node_subnet_ids" {
  description = "Node subnets by zone."
  value       = { for zone, subnet in aws_subnet.node : zone => subnet.id }
}

output "public_subnet_cidrs" {
  description = "Address ranges of the public subnets by zone."
  value       = local.public_cidrs
}

output "node_subnet_cidrs" {
  description = "Address ranges of the node subnets by zone."
  value       = local.node_cidrs
}

output "database_subnet_cidrs" {
  description = "Address ranges of the database subnets by zone."
  value       = local.database_cidrs
}

output "database_subnet_ids" {
  description = "Database subnets by zone."
  value       = { for zone, subnet in aws_subnet.database : zone => subnet.id }
}

output "nat_addresses" {
  description = "Public addresses that the cluster's traffic leaves from, by zone."
  value       = { for zone, address in aws_eip.nat : zone => address.public_ip }
}
