# Certificate of the public host name, and the add-on that points the name at the load balancer.
# The zone has to exist: delegating a domain is a person's step, and its name servers must outlive an environment.

locals {
  zones_arn = "arn:${var.partition}:route53:::hostedzone"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "KeepRecords"
        Effect   = "Allow"
        Action   = ["route53:ChangeResourceRecordSets"]
        Resource = ["${local.zones_arn}/${data.aws_route53_zone.this.zone_id}"]
      },
      {
        # Of zones below this one, too: the filter lets them through, and one that cannot be read stops all the others.
        Sid      = "ReadRecords"
        Effect   = "Allow"
        Action   = ["route53:ListResourceRecordSets", "route53:ListTagsForResources"]
        Resource = ["${local.zones_arn}/*"]
      },
      {
        # Cannot be narrowed to a zone.
        Sid      = "FindZone"
        Effect   = "Allow"
        Action   = ["route53:ListHostedZones"]
        Resource = ["*"]
      },
    ]
  })
}

data "aws_route53_zone" "this" {
  name         = var.domain
  private_zone = false
}

resource "aws_acm_certificate" "this" {
  domain_name       = var.hostname
  validation_method = "DNS"

  lifecycle {
    # The load balancer still uses the old certificate while the new one is made.
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  zone_id         = data.aws_route53_zone.this.zone_id
  name            = one(aws_acm_certificate.this.domain_validation_options).resource_record_name
  type            = one(aws_acm_certificate.this.domain_validation_options).resource_record_type
  records         = [one(aws_acm_certificate.this.domain_validation_options).resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [aws_route53_record.validation.fqdn]
}

data "aws_eks_addon_version" "external_dns" {
  addon_name         = "external-dns"
  kubernetes_version = var.kubernetes_version
}

# The load balancer is made by a controller in the cluster, so its record is too: Terraform never learns its name.
resource "aws_eks_addon" "external_dns" {
  cluster_name                = var.cluster_name
  addon_name                  = data.aws_eks_addon_version.external_dns.addon_name
  addon_version               = data.aws_eks_addon_version.external_dns.version
  service_account_role_arn    = module.external_dns_role.arn
  resolve_conflicts_on_create = "NONE"
  resolve_conflicts_on_update = "OVERWRITE"

  # A zone is left out unless its name ends with a filter: the filter is the zone's name, not the host's.
  configuration_values = jsonencode({
    domainFilters = [var.domain]
    policy        = "sync"
    registry      = "txt"
    sources       = ["ingress"]
    txtOwnerId    = var.cluster_name
  })

  depends_on = [var.node_groups]
}

module "external_dns_role" {
  source = "../service-account-role"

  name                     = "${var.name_prefix}-external-dns"
  description              = "Lets external-dns of ${var.cluster_name} keep the records of ${var.hostname}"
  namespace                = "external-dns"
  service_account          = "external-dns"
  oidc                     = var.oidc
  permissions_boundary_arn = var.permissions_boundary_arn
  policy                   = local.policy
}
