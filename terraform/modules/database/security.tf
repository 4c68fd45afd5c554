resource "aws_security_group" "this" {
  name_prefix = "${var.name_prefix}-database-"
  description = "PostgreSQL, reached by cluster nodes only; no way out"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-database" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from cluster nodes and their pods"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port

  tags = { Name = "${var.name_prefix}-database-from-nodes" }
}

resource "aws_vpc_security_group_egress_rule" "client" {
  security_group_id            = var.client_security_group_id
  description                  = "PostgreSQL to the database"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port

  tags = { Name = "${var.name_prefix}-nodes-to-database" }
}
