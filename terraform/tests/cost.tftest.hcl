# The budget, and the watch for unusual spending that not every account may have.

mock_provider "aws" {}

variables {
  name_prefix           = "supabase-test"
  environment           = "test"
  monthly_budget_usd    = 100
  anomaly_threshold_usd = null
  alerts_topic_arn      = "arn:aws:sns:eu-west-1:123456789012:supabase-test-alerts"
}

run "member_account" {
  command = plan

  module {
    source = "./modules/cost"
  }

  assert {
    condition     = length(aws_ce_anomaly_monitor.this) == 0 && length(aws_ce_anomaly_subscription.this) == 0
    error_message = "Without a threshold nothing is asked of Cost Explorer that only a management account may have."
  }
}

run "management_account" {
  command = plan

  module {
    source = "./modules/cost"
  }

  variables {
    anomaly_threshold_usd = 50
  }

  assert {
    condition     = length(aws_ce_anomaly_monitor.this) == 1 && strcontains(aws_ce_anomaly_monitor.this[0].monitor_specification, "user:Environment")
    error_message = "The watch looks at the environment's tag alone."
  }

  assert {
    condition     = one(aws_ce_anomaly_subscription.this[0].subscriber).type == "SNS"
    error_message = "Somebody is told."
  }
}
