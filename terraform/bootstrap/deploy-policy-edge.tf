locals {
  edge_statements = {
    for name in keys(var.environments) : name => [
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["route53:ListHostedZones"]
        Resource = ["*"]
      },
      {
        Sid       = "RequestCertificate"
        Effect    = "Allow"
        Action    = ["acm:RequestCertificate"]
        Resource  = ["*"]
        Condition = { StringEquals = local.tagged[name] }
      },
      {
        # A certificate is requested with its tags.
        Sid       = "TagNewCertificate"
        Effect    = "Allow"
        Action    = ["acm:AddTagsToCertificate"]
        Resource  = ["arn:${local.partition}:acm:${local.account}:certificate/*"]
        Condition = { StringEquals = local.tagged[name], Null = local.untagged }
      },
      {
        Sid       = "ManageOwnCertificate"
        Effect    = "Allow"
        Action    = ["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:DescribeCertificate", "acm:ListTagsForCertificate", "acm:RemoveTagsFromCertificate"]
        Resource  = ["arn:${local.partition}:acm:${local.account}:certificate/*"]
        Condition = { StringEquals = local.owned[name] }
      },
      {
        Sid      = "ReadZone"
        Effect   = "Allow"
        Action   = ["route53:GetChange", "route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ListTagsForResource"]
        Resource = ["arn:${local.partition}:route53:::hostedzone/*", "arn:${local.partition}:route53:::change/*"]
      },
      {
        # Certificates are validated by a CNAME whose name begins with an underscore.
        Sid      = "ProveDomain"
        Effect   = "Allow"
        Action   = ["route53:ChangeResourceRecordSets"]
        Resource = ["arn:${local.partition}:route53:::hostedzone/*"]
        Condition = {
          "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsRecordTypes" = ["CNAME"] }
          "ForAllValues:StringLike"   = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["_*"] }
        }
      },
      {
        Sid    = "ManageFirewall"
        Effect = "Allow"
        Action = [
          "wafv2:CreateWebACL", "wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL", "wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:ListResourcesForWebACL", "wafv2:ListTagsForResource", "wafv2:PutLoggingConfiguration", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL",
        ]
        Resource = ["arn:${local.partition}:wafv2:${local.account}:regional/webacl/supabase-${name}/*", "arn:${local.partition}:wafv2:${local.account}:regional/managedruleset/*/*"]
      },
      {
        # AWS names no resource for the delivery of a firewall's log to CloudWatch, and WAF does not say that it asks.
        Sid      = "DeliverFirewallLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:PutResourcePolicy"]
        Resource = ["*"]
      },
    ]
  }

  cost_watch_arns = [for kind in ["anomalymonitor", "anomalysubscription"] : "arn:${local.partition}:ce::${var.account_id}:${kind}/*"]

  operate_statements = {
    for name in keys(var.environments) : name => [
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogGroups", "sns:GetSubscriptionAttributes"]
        Resource = ["*"]
      },
      {
        # AWS names no resource for a subscription; ending one is all that this can do to others.
        Sid      = "Unsubscribe"
        Effect   = "Allow"
        Action   = ["sns:Unsubscribe"]
        Resource = ["*"]
      },
      {
        Sid      = "ReadAlarms"
        Effect   = "Allow"
        Action   = ["cloudwatch:DescribeAlarms"]
        Resource = ["arn:${local.partition}:cloudwatch:${local.account}:alarm:*"]
      },
      {
        Sid    = "ManageLogs"
        Effect = "Allow"
        Action = [
          "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DisassociateKmsKey", "logs:ListTagsForResource", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
        ]
        Resource = [
          for group in ["/aws/containerinsights/supabase-${name}/*", "/aws/eks/supabase-${name}/*", "/aws/rds/instance/supabase-${name}/*", "/aws/rds/instance/supabase-${name}-replica/*", "/aws/vpc/supabase-${name}/*", "aws-waf-logs-supabase-${name}", "aws-waf-logs-supabase-${name}:*"] :
          "${local.logs_arn}:${group}"
        ]
      },
      {
        Sid      = "ManageAlarms"
        Effect   = "Allow"
        Action   = ["cloudwatch:DeleteAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"]
        Resource = ["arn:${local.partition}:cloudwatch:${local.account}:alarm:supabase-${name}-*"]
      },
      {
        Sid    = "ManageAlerts"
        Effect = "Allow"
        Action = [
          "sns:CreateTopic", "sns:DeleteTopic", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource",
        ]
        Resource = ["arn:${local.partition}:sns:${local.account}:supabase-${name}-alerts", "arn:${local.partition}:sns:${local.account}:supabase-${name}-alerts:*"]
      },
      {
        Sid      = "ManageBudget"
        Effect   = "Allow"
        Action   = ["budgets:ListTagsForResource", "budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource", "budgets:ViewBudget"]
        Resource = ["arn:${local.partition}:budgets::${var.account_id}:budget/supabase-${name}-*"]
      },
      {
        # All rights of Cost Explorer are for budget.anomaly_usd, which no environment sets as it is shipped.
        Sid       = "MakeCostWatch"
        Effect    = "Allow"
        Action    = ["ce:CreateAnomalyMonitor", "ce:CreateAnomalySubscription"]
        Resource  = ["*"]
        Condition = { StringEquals = local.tagged[name] }
      },
      {
        # Both are made with their tags.
        Sid       = "TagNewCostWatch"
        Effect    = "Allow"
        Action    = ["ce:TagResource"]
        Resource  = local.cost_watch_arns
        Condition = { StringEquals = local.tagged[name], Null = local.untagged }
      },
      {
        Sid    = "ManageOwnCostWatch"
        Effect = "Allow"
        Action = [
          "ce:DeleteAnomalyMonitor", "ce:DeleteAnomalySubscription", "ce:GetAnomalyMonitors", "ce:GetAnomalySubscriptions", "ce:ListTagsForResource", "ce:TagResource", "ce:UntagResource", "ce:UpdateAnomalyMonitor", "ce:UpdateAnomalySubscription",
        ]
        Resource  = local.cost_watch_arns
        Condition = { StringEquals = local.owned[name] }
      },
      {
        Sid    = "ManageBackupVault"
        Effect = "Allow"
        Action = [
          "backup:CreateBackupVault", "backup:DeleteBackupVault", "backup:DeleteBackupVaultLockConfiguration", "backup:DescribeBackupVault", "backup:ListRecoveryPointsByBackupVault", "backup:ListTags",
          "backup:PutBackupVaultLockConfiguration", "backup:TagResource", "backup:UntagResource",
        ]
        Resource = ["arn:${local.partition}:backup:${local.account}:backup-vault:supabase-${name}"]
      },
      {
        # A vault is deleted once it is empty. What it holds is named by the service that was saved, so that the tag, which
        # a recovery point takes over, tells whose it is.
        Sid    = "DeleteOwnRecoveryPoints"
        Effect = "Allow"
        Action = ["backup:DeleteRecoveryPoint"]
        Resource = [
          "arn:${local.partition}:backup:${local.account}:recovery-point:*",
          "arn:${local.partition}:rds:${local.account}:snapshot:awsbackup:*",
        ]
        Condition = { StringEquals = local.owned[name] }
      },
      {
        # AWS Backup deletes the snapshot behind a recovery point in its caller's name.
        Sid       = "DeleteOwnSavedSnapshots"
        Effect    = "Allow"
        Action    = ["rds:DeleteDBSnapshot"]
        Resource  = ["arn:${local.partition}:rds:${local.account}:snapshot:awsbackup:*"]
        Condition = { StringEquals = local.owned[name] }
      },
      {
        Sid       = "MakeBackupPlan"
        Effect    = "Allow"
        Action    = ["backup:CreateBackupPlan", "backup:CreateRestoreTestingPlan", "backup:TagResource"]
        Resource  = ["arn:${local.partition}:backup:${local.account}:backup-plan:*", "arn:${local.partition}:backup:${local.account}:restore-testing-plan:*"]
        Condition = { StringEquals = local.tagged[name] }
      },
      {
        Sid    = "ManageOwnBackupPlan"
        Effect = "Allow"
        Action = [
          "backup:CreateBackupSelection", "backup:CreateRestoreTestingSelection", "backup:DeleteBackupPlan", "backup:DeleteBackupSelection", "backup:DeleteRestoreTestingPlan", "backup:DeleteRestoreTestingSelection", "backup:GetBackupPlan", "backup:GetBackupSelection",
          "backup:GetRestoreTestingPlan", "backup:GetRestoreTestingSelection", "backup:ListTags", "backup:TagResource", "backup:UntagResource", "backup:UpdateBackupPlan", "backup:UpdateRestoreTestingPlan", "backup:UpdateRestoreTestingSelection",
        ]
        Resource  = ["arn:${local.partition}:backup:${local.account}:backup-plan:*", "arn:${local.partition}:backup:${local.account}:restore-testing-plan:*"]
        Condition = { StringEquals = local.owned[name] }
      },
      {
        # Creating a vault mounts its storage; AWS names no resource for it.
        Sid      = "MountVault"
        Effect   = "Allow"
        Action   = ["backup-storage:MountCapsule"]
        Resource = ["*"]
      },
    ]
  }

  role_statements = {
    for name in keys(var.environments) : name => [
      {
        Sid       = "MakeRoles"
        Effect    = "Allow"
        Action    = ["iam:CreateRole"]
        Resource  = ["${local.iam_arn}:role/supabase-${name}-*"]
        Condition = { StringEquals = { "iam:PermissionsBoundary" = local.boundary_arns[name] } }
      },
      {
        Sid    = "ManageRoles"
        Effect = "Allow"
        Action = [
          "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole",
          "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
        ]
        Resource = ["${local.iam_arn}:role/supabase-${name}-*"]
      },
      {
        Sid      = "AttachKnownPolicies"
        Effect   = "Allow"
        Action   = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
        Resource = ["${local.iam_arn}:role/supabase-${name}-*"]
        Condition = { ArnEquals = { "iam:PolicyARN" = [
          for policy in [
            "AmazonEC2ContainerRegistryPullOnly", "AmazonEKSClusterPolicy", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AWSBackupServiceRolePolicyForS3Backup", "CloudWatchAgentServerPolicy",
            "service-role/AWSBackupServiceRolePolicyForBackup", "service-role/AWSBackupServiceRolePolicyForRestores", "service-role/AmazonEBSCSIDriverPolicy", "service-role/AmazonRDSEnhancedMonitoringRole",
          ] : "arn:${local.partition}:iam::aws:policy/${policy}"
        ] } }
      },
      {
        Sid       = "PassRoles"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = ["${local.iam_arn}:role/supabase-${name}-*"]
        Condition = { StringEquals = { "iam:PassedToService" = ["backup.amazonaws.com", "ec2.amazonaws.com", "eks.amazonaws.com", "monitoring.rds.amazonaws.com", "vpc-flow-logs.amazonaws.com"] } }
      },
      {
        Sid      = "ManageClusterIdentityProvider"
        Effect   = "Allow"
        Action   = ["iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider", "iam:GetOpenIDConnectProvider", "iam:TagOpenIDConnectProvider", "iam:UntagOpenIDConnectProvider"]
        Resource = ["${local.iam_arn}:oidc-provider/oidc.eks.${var.region}.amazonaws.com/*"]
      },
      {
        # EKS looks with its caller's rights whether such a role exists.
        Sid      = "ReadServiceLinkedRoles"
        Effect   = "Allow"
        Action   = ["iam:GetRole"]
        Resource = ["${local.iam_arn}:role/aws-service-role/*"]
      },
      {
        Sid      = "MakeServiceLinkedRoles"
        Effect   = "Allow"
        Action   = ["iam:CreateServiceLinkedRole"]
        Resource = ["${local.iam_arn}:role/aws-service-role/*"]
        Condition = { StringEquals = { "iam:AWSServiceName" = [
          "autoscaling.amazonaws.com", "backup.amazonaws.com", "eks-nodegroup.amazonaws.com", "eks.amazonaws.com", "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com", "restore-testing.backup.amazonaws.com", "wafv2.amazonaws.com",
        ] } }
      },
    ]
  }
}
