# Web application firewall in front of the load balancer; the ingress names it by its ARN.

resource "aws_wafv2_web_acl" "this" {
  name        = var.name_prefix
  description = "Public entrance of ${var.name_prefix}"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "rate-limit"
    priority = 1

    action {
      block {}
    }

    statement {
      rate_based_statement {
        limit              = var.requests_per_5_minutes
        aggregate_key_type = "IP"
      }
    }

    visibility_config {
      metric_name                = "${var.name_prefix}-rate-limit"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "AWSManagedRulesAmazonIpReputationList"
    priority = 10

    override_action {
      none {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesAmazonIpReputationList"
      }
    }

    visibility_config {
      metric_name                = "${var.name_prefix}-AWSManagedRulesAmazonIpReputationList"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "AWSManagedRulesKnownBadInputsRuleSet"
    priority = 20

    override_action {
      none {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesKnownBadInputsRuleSet"
      }
    }

    visibility_config {
      metric_name                = "${var.name_prefix}-AWSManagedRulesKnownBadInputsRuleSet"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "AWSManagedRulesCommonRuleSet"
    priority = 30

    override_action {
      none {}
    }

    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesCommonRuleSet"

        # Counted, not blocked, because Supabase does by design what these look for: uploads are larger than 8 KiB, the
        # database takes any text a user may write, in bodies as in filters, lists of filters grow beyond 2 KiB, objects
        # are called what their owners call them, redirect_to is a URL, and not every client library names itself.
        dynamic "rule_action_override" {
          for_each = toset([
            "CrossSiteScripting_BODY", "CrossSiteScripting_QUERYARGUMENTS", "GenericRFI_BODY", "GenericRFI_QUERYARGUMENTS", "NoUserAgent_HEADER",
            "RestrictedExtensions_QUERYARGUMENTS", "RestrictedExtensions_URIPATH", "SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING",
          ])

          content {
            name = rule_action_override.value

            action_to_use {
              count {}
            }
          }
        }
      }
    }

    visibility_config {
      metric_name                = "${var.name_prefix}-AWSManagedRulesCommonRuleSet"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    metric_name                = var.name_prefix
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = true
  }
}

# AWS demands that the name begins with aws-waf-logs-.
resource "aws_cloudwatch_log_group" "waf" {
  name              = "aws-waf-logs-${var.name_prefix}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.waf.arn]

  # Every request carries a key in one of these.
  dynamic "redacted_fields" {
    for_each = toset(["authorization", "apikey", "cookie"])

    content {
      single_header {
        name = redacted_fields.value
      }
    }
  }
}
