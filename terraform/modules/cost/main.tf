# A budget and a watch for unusual spending, both by the Environment tag.
# AWS sees the tag in costs only after it is activated once in the payer account: Billing > Cost allocation tags.

resource "aws_budgets_budget" "this" {
  name         = "${var.name_prefix}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:Environment$%s", var.environment)]
  }

  notification {
    notification_type         = "ACTUAL"
    comparison_operator       = "GREATER_THAN"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [var.alerts_topic_arn]
  }

  notification {
    notification_type         = "FORECASTED"
    comparison_operator       = "GREATER_THAN"
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [var.alerts_topic_arn]
  }
}

# CUSTOM, because an account may have only one monitor over all its services, and most already have it. One by tag is
# for the payer: AWS refuses it to a member of an organization.
resource "aws_ce_anomaly_monitor" "this" {
  count = var.anomaly_threshold_usd == null ? 0 : 1

  name         = var.name_prefix
  monitor_type = "CUSTOM"

  monitor_specification = jsonencode({
    And            = null
    CostCategories = null
    Dimensions     = null
    Not            = null
    Or             = null
    Tags           = { Key = "user:Environment", MatchOptions = null, Values = [var.environment] }
  })
}

resource "aws_ce_anomaly_subscription" "this" {
  count = var.anomaly_threshold_usd == null ? 0 : 1

  name             = var.name_prefix
  frequency        = "IMMEDIATE"
  monitor_arn_list = [aws_ce_anomaly_monitor.this[0].arn]

  subscriber {
    type    = "SNS"
    address = var.alerts_topic_arn
  }

  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(var.anomaly_threshold_usd)]
    }
  }
}
