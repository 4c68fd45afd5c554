# The record of the public host name: what external-dns may and may not do.

mock_provider "aws" {
  mock_data "aws_eks_addon_version" {
    defaults = {
      version = "v1.35.0-eksbuild.1"
    }
  }
}

override_data {
  target = data.aws_route53_zone.this
  values = {
    zone_id = "Z0123456789"
  }
}

variables {
  name_prefix              = "supabase-test"
  partition                = "aws"
  permissions_boundary_arn = null
  domain                   = "example.com"
  hostname                 = "api.test.example.com"
  cluster_name             = "supabase-test"
  kubernetes_version       = "1.35"
  node_groups              = {}
  oidc = {
    provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/TEST"
    issuer       = "https://oidc.eks.eu-west-1.amazonaws.com/id/TEST"
  }
}

run "zone" {
  command = plan

  module {
    source = "./modules/dns"
  }

  assert {
    condition     = jsondecode(aws_eks_addon.external_dns.configuration_values).domainFilters == ["example.com"]
    error_message = "external-dns looks at zones whose name ends with a filter: a filter that is longer than the zone's name leaves it without any zone."
  }

  assert {
    condition     = endswith(var.hostname, ".${jsondecode(aws_eks_addon.external_dns.configuration_values).domainFilters[0]}")
    error_message = "The host name lies within the filter."
  }

  assert {
    condition     = aws_eks_addon.external_dns.addon_version == "v1.35.0-eksbuild.1" && data.aws_eks_addon_version.external_dns.kubernetes_version == var.kubernetes_version
    error_message = "The add-on has the version that fits the Kubernetes minor."
  }

  # A filter lets zones below it through, and external-dns gives up when it cannot list one of them.
  assert {
    condition = {
      for statement in jsondecode(local.policy).Statement : statement.Sid => statement.Resource
      } == {
      KeepRecords = ["arn:aws:route53:::hostedzone/Z0123456789"]
      ReadRecords = ["arn:aws:route53:::hostedzone/*"]
      FindZone    = ["*"]
    }
    error_message = "external-dns writes to the one zone, and may list the records of every zone that its filter lets through."
  }
}
