# What is true of one account; the file is named after it.
account_id = "123456789012"
region     = "eu-west-1"

environments = {
  dev  = {}
  prod = { backup_copy = true }
}

backup_copy_region = "eu-central-1"

# Placeholder: write the repository that deploys, and as owner_id and repository_id the two numbers that
# `gh api repos/OWNER/REPOSITORY --jq '.owner.id, .id'` prints.
github = {
  owner      = "example"
  repository = "supabase-on-aws"
}
