# The policies of two environments that share an account, rendered for the check `iam-decisions`, which decides by them
# who may do what.

mock_provider "aws" {}

mock_provider "aws" {
  alias = "copy"
}

# Adopting the bucket asks AWS for it, which a mocked provider cannot answer.
override_resource {
  target = module.state_bucket.aws_s3_bucket.this
}

# A role then shows which boundary it is below.
override_resource {
  target          = aws_iam_policy.boundary["dev"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:policy/supabase-dev-boundary" }
}

override_resource {
  target          = aws_iam_policy.boundary["prod"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:policy/supabase-prod-boundary" }
}

variables {
  account_id         = "123456789012"
  region             = "eu-west-1"
  environments       = { dev = {}, prod = { backup_copy = true } }
  backup_copy_region = "eu-central-1"
  github             = { owner = "example", repository = "supabase-on-aws", owner_id = 1, repository_id = 2 }
}

run "shared_account" {
  command = plan

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["dev-deploy", "dev-plan", "prod-deploy", "prod-plan"])
    error_message = "Both environments have both roles."
  }
}
