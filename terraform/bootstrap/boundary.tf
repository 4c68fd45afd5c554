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

  regional_services = [
    "acm", "autoscaling", "backup", "backup-storage", "cloudwatch", "cognito-idp", "ec2", "ecr", "eks", "eks-auth",
    "elasticloadbalancing", "events", "kms", "logs", "rds", "s3", "sns", "ssm", "sts", "tag", "waf-regional", "wafv2", "xray",
  ]

  # These answer in one region, whatever region they are asked about.
  global_services = ["budgets", "ce", "route53", "shield"]
  iam_actions = [
    "AttachRolePolicy", "CreateOpenIDConnectProvider", "CreateRole", "CreateServiceLinkedRole", "DeleteOpenIDConnectProvider", "DeleteRole", "DeleteRolePolicy", "DetachRolePolicy", "Get*", "List*", "PutRolePolicy",
    "TagOpenIDConnectProvider", "TagRole", "UntagOpenIDConnectProvider", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription",
  ]
  global_region = { aws = "us-east-1", aws-cn = "cn-north-1", aws-us-gov = "us-gov-west-1" }[local.partition]
}

resource "aws_iam_policy" "boundary" {
  for_each = local.boundary_arns

  name        = "supabase-${each.key}-boundary"
  description = "Ceiling over every role of ${each.key}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ServicesInUse"
        Effect    = "Allow"
        Action    = [for service in local.regional_services : "${service}:*"]
        Resource  = ["*"]
        Condition = { StringEquals = { "aws:RequestedRegion" = compact([var.region, var.backup_copy_region]) } }
      },
      {
        Sid       = "GlobalServicesInUse"
        Effect    = "Allow"
        Action    = concat([for service in local.global_services : "${service}:*"], [for action in local.iam_actions : "iam:${action}"])
        Resource  = ["*"]
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
    ]
  })
}
