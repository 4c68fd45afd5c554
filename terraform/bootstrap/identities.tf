locals {
  issuer       = "token.actions.githubusercontent.com"
  provider_arn = "arn:${local.partition}:iam::${var.account_id}:oidc-provider/${local.issuer}"

  # GitHub names a repository in the old form or, since July 2026, with its immutable numbers; both are listed exactly.
  repositories = var.github == null ? [] : compact([
    "repo:${var.github.owner}/${var.github.repository}",
    var.github.owner_id == null ? "" : "repo:${var.github.owner}@${var.github.owner_id}/${var.github.repository}@${var.github.repository_id}",
  ])

  roles = merge([
    for name, environment in var.environments : {
      # Plans pull requests, and looks for drift from the default branch. Reads only.
      "${name}-plan" = {
        environment = name
        description = "Plans ${name} and looks for its drift"
        subjects    = flatten([for repository in local.repositories : ["${repository}:pull_request", "${repository}:ref:refs/heads/${var.github.default_branch}"]])
        branches    = []
        operators   = environment.operators
        policies    = { read = local.plan_statements[name] }
      }
      # Only from jobs that GitHub lets into the environment, after its reviewers agreed, and only from branches that nobody
      # writes to unreviewed: GitHub lets every branch into an environment without rules.
      "${name}-deploy" = {
        environment = name
        description = "Deploys, changes and destroys ${name}"
        subjects    = [for repository in local.repositories : "${repository}:environment:${name}"]
        branches    = var.github == null ? [] : coalescelist(environment.branches, [var.github.default_branch])
        operators   = environment.operators
        policies    = local.deploy_statements[name]
      }
    }
  ]...)

  role_policies = merge([
    for role, settings in local.roles : {
      for policy, statements in settings.policies : "${role}-${policy}" => { role = role, statements = statements }
    }
  ]...)
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.github != null && try(var.github.create_provider, false) ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "this" {
  for_each = { for role, settings in local.roles : role => settings if length(settings.subjects) + length(settings.operators) > 0 }

  name                 = "supabase-${each.key}"
  description          = each.value.description
  max_session_duration = 7200
  permissions_boundary = aws_iam_policy.boundary[each.value.environment].arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      length(each.value.subjects) == 0 ? [] : [{
        Sid       = "GitHub"
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = local.provider_arn }
        Condition = { StringEquals = merge(
          {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = each.value.subjects
          },
          # STS knows this claim in the commercial regions alone.
          length(each.value.branches) == 0 || local.partition != "aws" ? {} : {
            "${local.issuer}:ref" = [for branch in each.value.branches : "refs/heads/${branch}"]
          },
        ) }
      }],
      length(each.value.operators) == 0 ? [] : [{
        Sid       = "Operators"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = each.value.operators }
      }],
    )
  })

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_policy" "role" {
  for_each = { for key, policy in local.role_policies : key => policy if contains(keys(aws_iam_role.this), policy.role) }

  name        = "supabase-${each.key}"
  description = "What supabase-${each.value.role} may do"
  policy      = jsonencode({ Version = "2012-10-17", Statement = each.value.statements })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = aws_iam_policy.role

  role       = aws_iam_role.this[local.role_policies[each.key].role].name
  policy_arn = each.value.arn
}
