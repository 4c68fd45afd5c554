locals {
  gibibyte = pow(1024, 3)

  # By instance; thresholds follow the instance class.
  database_alarms = merge([
    for key, instance in var.database.instances : merge(
      {
        "${key}-cpu" = {
          identifier  = instance.identifier
          metric      = "CPUUtilization"
          comparison  = "GreaterThanThreshold"
          threshold   = 80
          statistic   = "Average"
          periods     = 3
          description = "CPU above 80 % for 15 minutes: look for slow queries in Performance Insights, or take a larger class."
        }
        "${key}-free-storage" = {
          identifier  = instance.identifier
          metric      = "FreeStorageSpace"
          comparison  = "LessThanThreshold"
          threshold   = max(2 * local.gibibyte, floor(var.database.storage_bytes / 10))
          statistic   = "Minimum"
          periods     = 1
          description = "Little storage left: autoscaling has reached its limit or cannot keep up; raise database.max_storage_gib."
        }
        "${key}-free-memory" = {
          identifier  = instance.identifier
          metric      = "FreeableMemory"
          comparison  = "LessThanThreshold"
          threshold   = floor(var.database.memory_bytes[key] / 20)
          statistic   = "Average"
          periods     = 3
          description = "Less than 5 % of memory free for 15 minutes: fewer connections, or a larger class."
        }
        "${key}-connections" = {
          identifier  = instance.identifier
          metric      = "DatabaseConnections"
          comparison  = "GreaterThanThreshold"
          threshold   = floor(var.database.max_connections[key] * 0.8)
          statistic   = "Maximum"
          periods     = 2
          description = "More than 80 % of the connections that the class allows: lower pool sizes, or take a larger class."
        }
        "${key}-io-balance" = {
          identifier  = instance.identifier
          metric      = "EBSIOBalance%"
          comparison  = "LessThanThreshold"
          threshold   = 20
          statistic   = "Minimum"
          periods     = 3
          description = "The instance's burst of disk operations is nearly used up: a larger class sustains more."
        }
      },
      var.database.burstable[key] ? {
        "${key}-cpu-credits" = {
          identifier  = instance.identifier
          metric      = "CPUCreditBalance"
          comparison  = "LessThanThreshold"
          threshold   = 50
          statistic   = "Minimum"
          periods     = 3
          description = "CPU credits are nearly used up: the class will be throttled or billed for more."
        }
      } : {},
      instance.replica ? {
        "${key}-lag" = {
          identifier  = instance.identifier
          metric      = "ReplicaLag"
          comparison  = "GreaterThanThreshold"
          threshold   = 60
          statistic   = "Average"
          periods     = 3
          description = "The replica is more than a minute behind: long queries on it, or too small a class."
        }
      } : {},
    )
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = var.alarms ? local.database_alarms : {}

  alarm_name          = "${var.name_prefix}-database-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = each.value.identifier }
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = each.value.periods
  treat_missing_data  = "missing"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]

  depends_on = [aws_sns_topic.alerts]
}
