# Who hears of trouble, and the logs and metrics of what runs in the cluster.

resource "aws_sns_topic" "alerts" {
  name              = "${var.name_prefix}-alerts"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "Publishers"
      Effect = "Allow"
      Action = "sns:Publish"
      Principal = { Service = [
        "budgets.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "costalerts.amazonaws.com",
        "events.amazonaws.com",
        "events.rds.amazonaws.com",
      ] }
      Resource  = local.topic_arn
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

# For all databases of the account and region: a list of sources would make it wait for the database, 30 s each way.
resource "aws_db_event_subscription" "this" {
  name             = var.name_prefix
  sns_topic        = aws_sns_topic.alerts.arn
  source_type      = "db-instance"
  event_categories = ["availability", "failover", "failure", "low storage", "maintenance", "recovery"]
}

locals {
  topic_arn = "arn:${var.partition}:sns:${var.region}:${var.account_id}:${var.name_prefix}-alerts"

  # The agent makes these when they are missing, without encryption and for ever.
  insights_groups = var.container_insights ? ["application", "dataplane", "host", "performance"] : []
}

resource "aws_cloudwatch_log_group" "insights" {
  for_each = toset(local.insights_groups)

  name              = "/aws/containerinsights/${var.cluster_name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_eks_addon_version" "insights" {
  count = var.container_insights ? 1 : 0

  addon_name         = "amazon-cloudwatch-observability"
  kubernetes_version = var.kubernetes_version
}

# CloudWatch agent (metrics of nodes and pods) and Fluent Bit (their logs).
resource "aws_eks_addon" "insights" {
  count = var.container_insights ? 1 : 0

  cluster_name                = var.cluster_name
  addon_name                  = data.aws_eks_addon_version.insights[0].addon_name
  addon_version               = data.aws_eks_addon_version.insights[0].version
  service_account_role_arn    = module.agent_role[0].arn
  configuration_values        = jsonencode({ containerLogs = { enabled = true } })
  resolve_conflicts_on_create = "NONE"
  resolve_conflicts_on_update = "OVERWRITE"

  # On the node groups too: the agent is healthy only where it can run.
  depends_on = [aws_cloudwatch_log_group.insights, var.node_groups]
}

module "agent_role" {
  source = "../service-account-role"
  count  = var.container_insights ? 1 : 0

  name                     = "${var.name_prefix}-cloudwatch"
  description              = "Lets the CloudWatch agent of ${var.cluster_name} send metrics and logs"
  namespace                = "amazon-cloudwatch"
  service_account          = "cloudwatch-agent"
  oidc                     = var.oidc
  managed_policy_arns      = { agent = "arn:${var.partition}:iam::aws:policy/CloudWatchAgentServerPolicy" }
  permissions_boundary_arn = var.permissions_boundary_arn
}
