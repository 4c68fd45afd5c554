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
  environments       = { dev = { branches = ["main", "try/new"] }, prod = { backup_copy = true } }
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
        "token.actions.githubusercontent.com:ref" = ["refs/heads/main"]
      } }
    }]
    error_message = "Only jobs in GitHub's environment prod deploy prod, from the default branch, in either form of the subject."
  }

  assert {
    condition     = try(jsondecode(aws_iam_role.this["dev-deploy"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:ref"], []) == ["refs/heads/main", "refs/heads/try/new"]
    error_message = "Dev is deployed from the branches that it names, and no others."
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
          for statement in statements : can(statement.Condition) || contains(["DeliverFirewallLog", "MountVault", "Unsubscribe"], statement.Sid) || alltrue([for action in statement.Action : can(regex(":(Describe|Get|List)", action))])
          if contains(statement.Resource, "*")
        ]
      ]
    ]))
    error_message = "The deploy role writes to `*` only what a condition confines, or what AWS names no resource for."
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
      for sid in ["RolesOnlyBelowThisCeiling", "CeilingStays", "GuardrailsStay", "NoUsers", "NoRoleChains", "OwnParameters", "OwnKeys", "OwnByEnvironment"] :
      one([for statement in jsondecode(aws_iam_policy.boundary["prod"].policy).Statement : statement.Effect if statement.Sid == sid]) == "Deny"
    ])
    error_message = "The boundary refuses every way around itself."
  }

  assert {
    condition     = alltrue([for policy in concat(values(aws_iam_policy.role), values(aws_iam_policy.boundary)) : length(policy.policy) <= 6144])
    error_message = "Every policy fits into what IAM allows."
  }
}

# What IAM and the services look at, and nothing on a laptop does.
run "accepted" {
  command = plan

  # MalformedPolicyDocument: "vendor must be fully qualified and cannot contain regexes".
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_policy.role), values(aws_iam_policy.boundary)) : [
        for statement in jsondecode(policy.policy).Statement : [
          for arn in concat(try(statement.Resource, []), try(statement.NotResource, [])) : arn == "*" || can(regex("^arn:aws:[a-z0-9-]+:", arn))
        ]
      ]
    ]))
    error_message = "The partition and the service of every ARN are spelt out."
  }

  assert {
    condition = toset([for arn in local.configuration_arns : split(":", arn)[2]]) == toset([for action in local.configuration_reads : split(":", action)[0]]) && alltrue([
      for arn in local.configuration_arns : contains(["123456789012", "route53"], split(":", arn)[4] == "" ? split(":", arn)[2] : split(":", arn)[4])
    ])
    error_message = "The plan role reads the configuration of each service in this account."
  }

  # A key that does not exist yet, and the bucket itself, are asked for without a prefix.
  assert {
    condition = alltrue([
      for statements in [local.plan_statements.prod, local.data_statements.prod] : anytrue([
        for statement in statements : contains(statement.Action, "s3:ListBucket") && statement.Resource == ["arn:aws:s3:::supabase-terraform-state-123456789012-eu-west-1"] && !can(statement.Condition)
      ])
    ])
    error_message = "Both roles may list the state bucket."
  }

  assert {
    condition = alltrue([
      for action in ["s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration"] :
      contains(one([for statement in local.data_statements.prod : statement.Action if statement.Sid == "CheckStateBucket"]), action)
    ])
    error_message = "The deploy role sees that the state bucket is in shape."
  }

  assert {
    condition = alltrue([
      for statement in [
        one([for statement in local.data_statements.prod : statement if statement.Sid == "TagNewKeys"]),
        one([for statement in local.edge_statements.prod : statement if statement.Sid == "TagNewCertificate"]),
        one([for statement in local.operate_statements.prod : statement if statement.Sid == "TagNewCostWatch"]),
      ] :
      statement.Condition == { StringEquals = { "aws:RequestTag/Environment" = "prod" }, Null = { "aws:ResourceTag/Environment" = "true" } } && !contains(statement.Resource, "*")
    ])
    error_message = "What is made with tags may be tagged before it has any, with the environment's own name."
  }

  assert {
    condition = alltrue([
      for statement in local.network_statements.prod : can(statement.Condition) || alltrue([for arn in statement.Resource : can(regex(":(network-interface|security-group)/\\*$|::image/\\*$", arn))])
      if contains(statement.Action, "ec2:RunInstances")
    ]) && one([for statement in local.network_statements.prod : length(statement.Resource) if statement.Sid == "RunInUntaggedNetwork"]) == 2
    error_message = "Nodes start beside interfaces and groups without tags, and from nothing else that is not this environment's."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_policy.boundary["prod"].policy).Statement : can(statement.Condition) if contains(statement.Action, "iam:PassRole")] == [false]
    error_message = "The ceiling over passing a role knows no region: it is asked within the request of a regional service."
  }

  assert {
    condition     = !can(regex("aws:CalledVia", jsonencode(local.deploy_statements)))
    error_message = "No service here says that it was called by another."
  }

  assert {
    condition = alltrue([
      for suffix in ["", ":*"] : contains(one([for statement in local.operate_statements.prod : statement.Resource if statement.Sid == "ManageLogs"]), "arn:aws:logs:eu-west-1:123456789012:log-group:aws-waf-logs-supabase-prod${suffix}")
    ])
    error_message = "The firewall's log group is named as both of its actions see it."
  }
}

run "backup_copy" {
  command = plan

  assert {
    condition     = aws_backup_vault.copy["prod"].tags == tomap({ Environment = "prod" })
    error_message = "The tag keeps the account's other environments out of the vault."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_kms_key.copy[0].policy).Statement : statement.Condition.ArnLike["aws:PrincipalArn"] if statement.Effect == "Deny"]) == ["arn:aws:iam::123456789012:role/supabase-dev-*", "arn:aws:iam::123456789012:role/supabase-prod-*"]
    error_message = "No environment changes the key that they share."
  }

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

# Each of these has rights that hold for another one, or for the state.
run "refused_names" {
  command = plan

  variables {
    environments = { dev = {}, dev-eu = {} }
  }

  expect_failures = [var.environments]
}

run "refused_name_of_state" {
  command = plan

  variables {
    environments = { terraform = {} }
  }

  expect_failures = [var.environments]
}

# Once for each rule, so that none hides behind another.
run "refused_two_hyphens" {
  command = plan

  variables {
    environments = { a--b = {} }
  }

  expect_failures = [var.environments]
}

run "refused_last_hyphen" {
  command = plan

  variables {
    environments = { dev- = {} }
  }

  expect_failures = [var.environments]
}

run "refused_reserved_names" {
  command = plan

  variables {
    environments = { ssm1 = {} }
  }

  expect_failures = [var.environments]
}

run "refused_branches" {
  command = plan

  variables {
    environments = { dev = { branches = ["release/*"] } }
  }

  expect_failures = [var.environments]
}

run "refused_without_numbers" {
  command = plan

  variables {
    github = { owner = "somebody", repository = "supabase-on-aws" }
  }

  expect_failures = [var.github]
}

run "refused_copy" {
  command = plan

  variables {
    backup_copy_region = "eu-west-1"
    github             = { owner = "example", repository = "supabase-on-aws", owner_id = 1 }
  }

  expect_failures = [var.backup_copy_region, var.github]
}
