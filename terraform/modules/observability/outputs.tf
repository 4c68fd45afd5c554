output "alerts_topic_arn" {
  description = "Topic that alarms, budget and cost anomalies publish to."
  value       = aws_sns_topic.alerts.arn

  # A publisher is refused until the policy names it.
  depends_on = [aws_sns_topic_policy.alerts]
}
