# Whom the policies of the keys name.

mock_provider "aws" {}

variables {
  name_prefix          = "supabase-test"
  partition            = "aws"
  region               = "eu-west-1"
  account_id           = "123456789012"
  deploy_role_arn      = "arn:aws:iam::123456789012:role/supabase-test-deploy"
  deletion_window_days = 7
}

run "deploy_role" {
  command = plan

  module {
    source = "./modules/encryption"
  }

  assert {
    condition = alltrue([
      for key in aws_kms_key.this : [
        for statement in jsondecode(key.policy).Statement : statement if try(statement.Principal.AWS, "") == "arn:aws:iam::123456789012:role/supabase-test-deploy"
      ] == [{ Sid = "DeployRoleFromTheStart", Effect = "Allow", Action = "kms:*", Resource = "*", Principal = { AWS = "arn:aws:iam::123456789012:role/supabase-test-deploy" } }]
    ])
    error_message = "Each key names the role that deploys, whose rights by tag may not hold yet."
  }
}

run "no_deploy_role" {
  command = plan

  module {
    source = "./modules/encryption"
  }

  variables {
    deploy_role_arn = null
  }

  assert {
    condition     = alltrue([for key in aws_kms_key.this : !contains(jsondecode(key.policy).Statement[*].Sid, "DeployRoleFromTheStart") && !strcontains(key.policy, ":role/")])
    error_message = "KMS refuses a policy that names a role that does not exist."
  }
}
