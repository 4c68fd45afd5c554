locals {
  # The load balancer belongs to the cluster's controller, so its ARN is unknown here. A Metrics Insights query needs
  # none: it takes every load balancer of the account and region. Environments that share both share these alarms.
  load_balancer_alarms = {
    load-balancer-errors = {
      query       = "SELECT SUM(HTTPCode_ELB_5XX_Count) FROM SCHEMA(\"AWS/ApplicationELB\", LoadBalancer)"
      threshold   = 10
      periods     = 1
      description = "The load balancer itself answers 5xx: no healthy target, or a target that breaks connections."
    }
    target-errors = {
      query       = "SELECT SUM(HTTPCode_Target_5XX_Count) FROM SCHEMA(\"AWS/ApplicationELB\", LoadBalancer)"
      threshold   = 25
      periods     = 1
      description = "Supabase answers 5xx: look at the logs of Kong and of the service behind the failing path."
    }
    unhealthy-targets = {
      query       = "SELECT MAX(UnHealthyHostCount) FROM SCHEMA(\"AWS/ApplicationELB\", LoadBalancer, TargetGroup)"
      threshold   = 0
      periods     = 2
      description = "A target fails its health check for 10 minutes: look at the pods of Kong."
    }
    latency = {
      query       = "SELECT AVG(TargetResponseTime) FROM SCHEMA(\"AWS/ApplicationELB\", LoadBalancer)"
      threshold   = 1
      periods     = 3
      description = "Answers take more than a second on average for 15 minutes."
    }
  }

  cluster_alarms = {
    node-failed = {
      query       = "SELECT MAX(cluster_failed_node_count) FROM SCHEMA(ContainerInsights, ClusterName) WHERE ClusterName = '${var.cluster_name}'"
      threshold   = 0
      periods     = 2
      description = "A node is not Ready for 10 minutes: look at the node group's health in EKS."
    }
    pod-restarts = {
      query       = "SELECT MAX(pod_number_of_container_restarts) FROM SCHEMA(ContainerInsights, ClusterName, Namespace, PodName) WHERE ClusterName = '${var.cluster_name}' AND Namespace = 'supabase'"
      threshold   = 5
      periods     = 1
      description = "A container of Supabase has restarted more than five times: look at its last log."
    }
  }

  query_alarms = merge(local.load_balancer_alarms, var.container_insights ? local.cluster_alarms : {})
}

resource "aws_cloudwatch_metric_alarm" "query" {
  for_each = var.alarms ? local.query_alarms : {}

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]

  metric_query {
    id          = "q"
    expression  = each.value.query
    period      = 300
    return_data = true
  }

  depends_on = [aws_sns_topic.alerts]
}

# A percentile cannot be queried across load balancers: this one needs the load balancer's name,
# which the ingress stage prints after the first deployment.
resource "aws_cloudwatch_metric_alarm" "latency_p99" {
  count = var.alarms && var.load_balancer != null ? 1 : 0

  alarm_name          = "${var.name_prefix}-latency-p99"
  alarm_description   = "One answer in a hundred takes more than two and a half seconds for 15 minutes."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = { LoadBalancer = var.load_balancer }
  extended_statistic  = "p99"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 2.5
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]

  depends_on = [aws_sns_topic.alerts]
}
