# Free, and takes the traffic to S3 (user objects, image layers) off the NAT gateway's bill.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = concat([for table in aws_route_table.node : table.id], [aws_route_table.database.id])

  tags = { Name = "${var.name_prefix}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.node : subnet.id]
  security_group_ids  = [aws_security_group.endpoint[0].id]

  tags = { Name = "${var.name_prefix}-${each.key}" }
}

resource "aws_security_group" "endpoint" {
  count = length(var.interface_endpoints) > 0 ? 1 : 0

  name_prefix = "${var.name_prefix}-endpoint-"
  description = "Interface endpoints, reached by the VPC over TLS"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name_prefix}-endpoint" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "endpoint" {
  count = length(var.interface_endpoints) > 0 ? 1 : 0

  security_group_id = aws_security_group.endpoint[0].id
  description       = "TLS from the VPC to the AWS APIs"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = { Name = "${var.name_prefix}-endpoint" }
}
