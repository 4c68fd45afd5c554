locals {
  # Every parameter that terraform/parameters.tf writes, and nothing else.
  plain_parameters = ["backup/bucket", "cluster/name", "database/host", "database/identifier", "database/name", "database/port", "storage/bucket"]

  configuration_reads = [
    "acm:DescribeCertificate", "acm:ListTagsForCertificate",
    "backup:DescribeBackupVault", "backup:GetBackupPlan", "backup:GetBackupSelection", "backup:GetRestoreTestingPlan", "backup:GetRestoreTestingSelection", "backup:ListTags",
    "budgets:ListTagsForResource", "budgets:ViewBudget",
    "ce:GetAnomalyMonitors", "ce:GetAnomalySubscriptions", "ce:ListTagsForResource",
    "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource",
    "ec2:DescribeSecurityGroupReferences", "ec2:DescribeVpcAttribute",
    "eks:DescribeAccessEntry", "eks:DescribeAddon", "eks:DescribeCluster", "eks:DescribeNodegroup", "eks:ListAssociatedAccessPolicies", "eks:ListTagsForResource",
    "iam:GetOpenIDConnectProvider", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies",
    "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags",
    "logs:ListTagsForResource",
    "rds:DescribeDBInstances", "rds:DescribeDBParameterGroups", "rds:DescribeDBParameters", "rds:DescribeDBSubnetGroups", "rds:DescribeEventSubscriptions", "rds:ListTagsForResource",
    "route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ListTagsForResource",
    "sns:GetTopicAttributes", "sns:ListTagsForResource",
    "ssm:ListTagsForResource",
    "wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:ListTagsForResource",
  ]

  # Everything of these services in this account. IAM takes no wildcard for the service, so each is named; two have no
  # region in their ARNs, those of IAM want a kind, and zones of Route 53 no account.
  configuration_arns = concat(
    [
      for service in distinct([for action in local.configuration_reads : split(":", action)[0]]) :
      "arn:${local.partition}:${service}:${contains(["budgets", "ce"], service) ? "" : var.region}:${var.account_id}:*"
      if !contains(["iam", "route53"], service)
    ],
    ["${local.iam_arn}:oidc-provider/*", "${local.iam_arn}:role/*", "arn:${local.partition}:route53:::hostedzone/*"],
  )

  # Reading the configuration of resources, as a refresh does. No data: neither objects nor secret parameters.
  plan_statements = {
    for name in keys(var.environments) : name => [
      {
        # None of these can be narrowed to a resource.
        Sid    = "ReadLists"
        Effect = "Allow"
        Action = concat(local.network_reads, [
          "backup:ListBackupVaults", "eks:DescribeAddonVersions", "kms:ListAliases", "logs:DescribeLogGroups", "rds:DescribeDBEngineVersions", "route53:ListHostedZones", "sns:GetSubscriptionAttributes", "ssm:DescribeParameters", "tag:GetResources",
        ])
        Resource = ["*"]
      },
      {
        Sid      = "ReadConfiguration"
        Effect   = "Allow"
        Action   = local.configuration_reads
        Resource = local.configuration_arns
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
        # What Terraform itself writes, name by name. Never the prefix: every secret lies below it, and any pull request
        # of the repository has this role.
        Sid      = "ReadParameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters"]
        Resource = [for parameter in local.plain_parameters : "arn:${local.partition}:ssm:${var.region}:${var.account_id}:parameter/${name}/supabase/${parameter}"]
      },
      {
        # No condition on the prefix: without this right S3 calls a key that does not exist yet forbidden, not absent.
        Sid      = "ListState"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.state_arn]
      },
      {
        Sid      = "ReadState"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = local.state_objects[name]
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
