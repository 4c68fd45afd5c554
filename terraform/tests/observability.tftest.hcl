# Alarms on traffic, and the one that needs to know the load balancer.

mock_provider "aws" {
  mock_data "aws_eks_addon_version" {
    defaults = {
      version = "v1.35.0-eksbuild.1"
    }
  }
}

variables {
  name_prefix              = "supabase-test"
  partition                = "aws"
  region                   = "eu-west-1"
  account_id               = "123456789012"
  permissions_boundary_arn = null
  kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/test"
  log_retention_days       = 365
  emails                   = ["ops@example.com"]
  alarms                   = true
  container_insights       = true
  load_balancer            = null
  cluster_name             = "supabase-test"
  kubernetes_version       = "1.35"
  node_groups              = {}
  oidc = {
    provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/TEST"
    issuer       = "https://oidc.eks.eu-west-1.amazonaws.com/id/TEST"
  }
  database = {
    instances       = { primary = { identifier = "supabase-test", replica = false } }
    memory_bytes    = { primary = 4294967296 }
    max_connections = { primary = 450 }
    burstable       = { primary = true }
    storage_bytes   = 21474836480
  }
}

# A percentile needs the load balancer's name, which is known after the first deployment; until then the average warns.
run "before_the_first_deployment" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = aws_eks_addon.insights[0].addon_version == "v1.35.0-eksbuild.1" && data.aws_eks_addon_version.insights[0].kubernetes_version == var.kubernetes_version
    error_message = "The add-on has the version that fits the Kubernetes minor."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.latency_p99) == 0 && contains(keys(aws_cloudwatch_metric_alarm.query), "latency")
    error_message = "Without the load balancer's name the average latency is watched."
  }

  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.database), "primary-cpu-credits")
    error_message = "A burstable class has an alarm on its CPU credits."
  }
}

run "p99" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    load_balancer = "app/k8s-supabase-supabase-0123456789/50dc6c495c0c9188"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.latency_p99[0].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.latency_p99[0].dimensions.LoadBalancer == "app/k8s-supabase-supabase-0123456789/50dc6c495c0c9188"
    error_message = "With its name the 99th percentile of the latency is watched."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.query : length(alarm.alarm_actions) == 1])
    error_message = "Every alarm tells somebody."
  }
}
