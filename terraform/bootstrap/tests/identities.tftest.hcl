# Who may assume the roles that plan and deploy, and what keeps those roles below their ceiling.

mock_provider "aws" {}

mock_provider "aws" {
  alias = "copy"
}

# Adopting the bucket asks AWS for it, which a mocked provider cannot answer.
override_resource {
  target = module.state_bucket.aws_s3_bucket.this
}

variables {
  account_id         = "123456789012"
  region             = "eu-west-1"
  environments       = { dev = {}, prod = { backup_copy = true } }
  backup_copy_region = "eu-central-1"
  github             = { owner = "example", repository = "supabase-on-aws", owner_id = 1, repository_id = 2 }
}

run "github" {
  command = plan

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 1 && tolist(aws_iam_openid_connect_provider.github[0].client_id_list) == tolist(["sts.amazonaws.com"])
    error_message = "GitHub's identity provider is made for AWS only."
  }

  assert {
    condition = jsondecode(aws_iam_role.this["prod-deploy"].assume_role_policy).Statement == [{
      Sid       = "GitHub"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Condition = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = [
          "repo:example/supabase-on-aws:environment:prod",
          "repo:example@1/supabase-on-aws@2:environment:prod",
        ]
      } }
    }]
    error_message = "Only jobs in GitHub's environment prod deploy prod, in either form of the subject."
  }

  assert {
    condition = jsondecode(aws_iam_role.this["dev-plan"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == [
      "repo:example/supabase-on-aws:pull_request",
      "repo:example/supabase-on-aws:ref:refs/heads/main",
      "repo:example@1/supabase-on-aws@2:pull_request",
      "repo:example@1/supabase-on-aws@2:ref:refs/heads/main",
    ]
    error_message = "Pull requests and the default branch may plan."
  }

  assert {
    condition     = !can(regex("StringLike|\\*", join("", [for role in aws_iam_role.this : role.assume_role_policy])))
    error_message = "No trust policy has a wildcard."
  }
}

run "least_privilege" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for name, policies in local.deploy_statements : [
        for statements in policies : [
          for statement in statements : can(statement.Condition) || statement.Sid == "Unsubscribe" || alltrue([for action in statement.Action : can(regex(":(Describe|Get|List)", action))])
          if contains(statement.Resource, "*")
        ]
      ]
    ]))
    error_message = "The deploy role writes to `*` only what a condition confines, or ends a subscription."
  }

  assert {
    condition = alltrue(flatten([
      for statements in local.plan_statements : [
        for statement in statements : [
          for action in statement.Action : can(regex(":(Describe|Get|List|View)", action))
        ] if statement.Sid != "LockState"
      ]
    ]))
    error_message = "The plan role writes nothing but the lock."
  }

  assert {
    condition     = one([for statement in local.role_statements.prod : statement if statement.Sid == "MakeRoles"]).Condition.StringEquals["iam:PermissionsBoundary"] == "arn:aws:iam::123456789012:policy/supabase-prod-boundary" && one([for statement in local.role_statements.prod : statement if statement.Sid == "MakeRoles"]).Resource == ["arn:aws:iam::123456789012:role/supabase-prod-*"]
    error_message = "The deploy role makes only roles of its own environment, below the boundary."
  }

  assert {
    condition = alltrue([
      for sid in ["RolesOnlyBelowThisCeiling", "CeilingStays", "GuardrailsStay", "NoUsers", "NoRoleChains"] :
      one([for statement in jsondecode(aws_iam_policy.boundary["prod"].policy).Statement : statement.Effect if statement.Sid == sid]) == "Deny"
    ])
    error_message = "The boundary refuses every way around itself."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_policy.role : length(policy.policy) <= 6144])
    error_message = "Every policy fits into what IAM allows."
  }
}

run "backup_copy" {
  command = plan

  assert {
    condition     = keys(aws_backup_vault.copy) == ["prod"] && aws_backup_vault.copy["prod"].name == "supabase-prod-copy"
    error_message = "Prod's backups have a vault in another region."
  }
}

run "provider_exists" {
  command = plan

  variables {
    github = { owner = "example", repository = "supabase-on-aws", create_provider = false }
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && length(jsondecode(aws_iam_role.this["dev-deploy"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]) == 1
    error_message = "An account that has GitHub's provider keeps it; without numbers there is one form of the subject."
  }
}

run "operators" {
  command = plan

  variables {
    github       = null
    environments = { dev = { operators = ["arn:aws:iam::123456789012:role/platform"] }, prod = { backup_copy = true } }
  }

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["dev-plan", "dev-deploy"])
    error_message = "Roles that nobody may assume are not made."
  }
}

run "refused" {
  command = plan

  variables {
    account_id         = "1"
    region             = "Ireland"
    environments       = { default = { operators = ["*"] } }
    backup_copy_region = null
    github             = { owner = "exa*", repository = "supabase-on-aws" }
  }

  expect_failures = [var.account_id, var.region, var.environments, var.github]
}

run "refused_copy" {
  command = plan

  variables {
    backup_copy_region = "eu-west-1"
    github             = { owner = "example", repository = "supabase-on-aws", owner_id = 1 }
  }

  expect_failures = [var.backup_copy_region, var.github]
}
