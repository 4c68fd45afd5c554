locals {
  # Reading the configuration of resources, as a refresh does. No data: neither objects nor secret parameters.
  plan_statements = {
    for name in keys(var.environments) : name => [
      {
        Sid    = "ReadConfiguration"
        Effect = "Allow"
        Action = [
          "acm:DescribeCertificate", "acm:ListTagsForCertificate",
          "autoscaling:DescribeAutoScalingGroups",
          "backup:DescribeBackupVault", "backup:GetBackupPlan", "backup:GetBackupSelection", "backup:GetBackupVaultAccessPolicy", "backup:GetRestoreTestingPlan", "backup:GetRestoreTestingSelection", "backup:List*",
          "budgets:ViewBudget", "budgets:ListTagsForResource",
          "ce:GetAnomalyMonitors", "ce:GetAnomalySubscriptions", "ce:ListTagsForResource",
          "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource",
          "ec2:Describe*",
          "eks:Describe*", "eks:List*",
          "iam:GetOpenIDConnectProvider", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies",
          "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListResourceTags",
          "logs:DescribeLogGroups", "logs:ListTagsForResource",
          "rds:Describe*", "rds:ListTagsForResource",
          "route53:GetChange", "route53:GetHostedZone", "route53:ListHostedZones", "route53:ListHostedZonesByName", "route53:ListResourceRecordSets", "route53:ListTagsForResource",
          "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource",
          "ssm:DescribeParameters", "ssm:ListTagsForResource",
          "tag:GetResources",
          "wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:ListTagsForResource",
        ]
        Resource = ["*"]
      },
      {
        Sid    = "ReadBuckets"
        Effect = "Allow"
        Action = [
          "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
          "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource",
        ]
        Resource = ["arn:${local.partition}:s3:::supabase-${name}-*"]
      },
      {
        # Values that are not encrypted; secret ones would need the key as well.
        Sid      = "ReadParameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters"]
        Resource = ["arn:${local.partition}:ssm:${var.region}:${var.account_id}:parameter/${name}/supabase/*"]
      },
      {
        Sid       = "ListState"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [local.state_arn]
        Condition = { StringLike = { "s3:prefix" = ["env:/", "env:/${name}/*", "supabase.tfstate"] } }
      },
      {
        Sid      = "ReadState"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.state_arn}/env:/${name}/*"]
      },
      {
        # A plan holds the lock while it reads.
        Sid      = "LockState"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject"]
        Resource = ["${local.state_arn}/env:/${name}/supabase.tfstate.tflock"]
      },
    ]
  }
}
