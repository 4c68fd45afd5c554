# The ceiling over the deploy role and over every role it makes. It grants nothing by itself; it makes sure that nobody
# who controls a deployment can make an identity that can do more, or remove this ceiling.

locals {
  boundary_arns = { for name in keys(var.environments) : name => "arn:${local.partition}:iam::${var.account_id}:policy/supabase-${name}-boundary" }

  # What bootstrap makes, and nothing but bootstrap may change.
  guardrail_arns = [
    "arn:${local.partition}:iam::${var.account_id}:policy/supabase-*-boundary",
    "arn:${local.partition}:iam::${var.account_id}:policy/supabase-*-deploy-*",
    "arn:${local.partition}:iam::${var.account_id}:policy/supabase-*-plan-*",
    "arn:${local.partition}:iam::${var.account_id}:role/supabase-*-deploy",
    "arn:${local.partition}:iam::${var.account_id}:role/supabase-*-plan",
    local.provider_arn,
  ]

  # Used on any resource in reach; whatever another environment's tag is on is refused below.
  regional_services = [
    "acm", "autoscaling", "backup", "backup-storage", "cloudwatch", "cognito-idp", "ec2", "ecr", "eks-auth",
    "elasticloadbalancing", "events", "kms", "sns", "ssm", "sts", "tag", "waf-regional", "wafv2", "xray",
  ]

  # These answer in one region, whatever region they are asked about.
  global_services = ["budgets", "ce", "route53", "shield"]
  iam_writes = [
    "AttachRolePolicy", "CreateOpenIDConnectProvider", "CreateRole", "CreateServiceLinkedRole", "DeleteOpenIDConnectProvider", "DeleteRole", "DeleteRolePolicy", "DetachRolePolicy", "PutRolePolicy",
    "TagOpenIDConnectProvider", "TagRole", "UntagOpenIDConnectProvider", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription",
  ]
  global_region = { aws = "us-east-1", aws-cn = "cn-north-1", aws-us-gov = "us-gov-west-1" }[local.partition]

  # Services whose resources carry the environment in their names: nothing of them is in reach under another name. What
  # AWS Backup and RDS name themselves is told apart by its tags.
  named_services = ["eks", "logs", "rds", "s3"]
  named_arns = {
    for name in keys(var.environments) : name => concat(
      [for kind in ["*/supabase-${name}", "*/supabase-${name}/*"] : "arn:${local.partition}:eks:*:${var.account_id}:${kind}"],
      [for group in ["*/supabase-${name}/*", "*/supabase-${name}-*", "aws-waf-logs-supabase-${name}*", "RDSOSMetrics*"] : "arn:${local.partition}:logs:*:${var.account_id}:log-group:${group}"],
      [for kind in ["*:supabase-${name}", "*:supabase-${name}-*", "*:awsbackup*", "auto-backup:*", "og:default*", "pg:default*"] : "arn:${local.partition}:rds:*:${var.account_id}:${kind}"],
      ["arn:${local.partition}:s3:::supabase-${name}-*", "${local.state_arn}/env:/${name}/*"],
    )
  }

  # The same services where AWS names no resource, or the question is harmless.
  unnamed_actions = [
    "eks:CreateCluster", "eks:Describe*Versions", "eks:List*", "logs:*LogDelivery", "logs:*ResourcePolic*", "logs:Describe*", "rds:Describe*", "s3:ListAllMyBuckets",
  ]

  # Who a resource belongs to: our own tag, and those of EKS, its network plugin and the load balancer controller on what
  # they make.
  owner_tags = {
    for name in keys(var.environments) : name => {
      "Environment"                    = name
      "aws:eks:cluster-name"           = "supabase-${name}"
      "cluster.k8s.amazonaws.com/name" = "supabase-${name}"
      "eks:cluster-name"               = "supabase-${name}"
      "elbv2.k8s.aws/cluster"          = "supabase-${name}"
    }
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = local.boundary_arns

  name        = "supabase-${each.key}-boundary"
  description = "Ceiling over every role of ${each.key}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "ServicesInUse"
        Effect    = "Allow"
        Action    = concat([for service in local.regional_services : "${service}:*"], local.unnamed_actions)
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = compact([var.region, var.backup_copy_region]) } }
      },
      {
        Sid       = "OwnNames"
        Effect    = "Allow"
        Action    = [for service in local.named_services : "${service}:*"]
        Resource  = local.named_arns[each.key]
        Condition = { StringEquals = { "aws:RequestedRegion" = compact([var.region, var.backup_copy_region]) } }
      },
      {
        Sid      = "ReadStateBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetObject", "s3:ListBucket"]
        Resource = [local.state_arn, "${local.state_arn}/supabase.tfstate"]
      },
      {
        Sid       = "GlobalServicesInUse"
        Effect    = "Allow"
        Action    = concat([for service in local.global_services : "${service}:*"], ["iam:Get*", "iam:List*"])
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = local.global_region } }
      },
      {
        Sid       = "OwnRoles"
        Effect    = "Allow"
        Action    = [for action in local.iam_writes : "iam:${action}"]
        Resource  = ["${local.iam_arn}:role/supabase-${each.key}-*", "${local.iam_arn}:role/aws-service-role/*", "${local.iam_arn}:oidc-provider/oidc.eks.*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = local.global_region } }
      },
      {
        # Asked within the request that a role is passed with, in whatever region that one is made.
        Sid      = "PassRoles"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = ["arn:${local.partition}:iam::${var.account_id}:role/supabase-${each.key}-*"]
      },
      {
        Sid       = "RolesOnlyBelowThisCeiling"
        Effect    = "Deny"
        Action    = ["iam:CreateRole", "iam:PutRolePermissionsBoundary"]
        Resource  = ["*"]
        Condition = { StringNotEquals = { "iam:PermissionsBoundary" = each.value } }
      },
      {
        Sid      = "CeilingStays"
        Effect   = "Deny"
        Action   = ["iam:DeleteRolePermissionsBoundary"]
        Resource = ["*"]
      },
      {
        Sid    = "GuardrailsStay"
        Effect = "Deny"
        Action = [
          "iam:AddClientIDToOpenIDConnectProvider",
          "iam:Attach*",
          "iam:Create*",
          "iam:Delete*",
          "iam:Detach*",
          "iam:Put*",
          "iam:SetDefaultPolicyVersion",
          "iam:Update*",
        ]
        Resource = local.guardrail_arns
      },
      {
        Sid    = "NoUsers"
        Effect = "Deny"
        Action = [
          "iam:AddUserToGroup",
          "iam:CreateAccessKey",
          "iam:CreateGroup",
          "iam:CreateLoginProfile",
          "iam:CreateSAMLProvider",
          "iam:CreateUser",
          "iam:UpdateLoginProfile",
        ]
        Resource = ["*"]
      },
      {
        # Identities come from STS to a workload by its service account; none may hop to another role.
        Sid      = "NoRoleChains"
        Effect   = "Deny"
        Action   = ["sts:AssumeRole"]
        Resource = ["*"]
      },
      {
        Sid         = "OwnParameters"
        Effect      = "Deny"
        Action      = ["ssm:DeleteParameter*", "ssm:GetParameter*", "ssm:LabelParameterVersion", "ssm:PutParameter", "ssm:PutResourcePolicy", "ssm:UnlabelParameterVersion"]
        NotResource = concat([for path in ["${each.key}/supabase", "${each.key}/supabase/*", "AmazonCloudWatch-*"] : "arn:${local.partition}:ssm:*:${var.account_id}:parameter/${path}"], ["arn:${local.partition}:ssm:*::parameter/aws/*"])
      },
      {
        # A new key is tagged, yet for minutes not to those who ask; deleting one can wait for that.
        Sid       = "OwnKeys"
        Effect    = "Deny"
        Action    = ["kms:DisableKey", "kms:ScheduleKeyDeletion"]
        Resource  = ["*"]
        Condition = { StringNotEquals = local.owned[each.key] }
      },
      ], [
      for tag, owner in local.owner_tags[each.key] : {
        Sid      = "OwnBy${replace(tag, "/[^A-Za-z0-9]/", "")}"
        Effect   = "Deny"
        Action   = ["*"]
        Resource = ["*"]
        # Without the second condition, what has no such tag would be refused as well.
        Condition = { StringNotEquals = { "aws:ResourceTag/${tag}" = owner }, Null = { "aws:ResourceTag/${tag}" = "false" } }
      }
    ])
  })
}
