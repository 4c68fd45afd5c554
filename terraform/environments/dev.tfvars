environment = "dev"
region      = "eu-west-1"
# AWS's documentation account: write your own account id.
account_id = "123456789012"

kubernetes_version = "1.35"
postgres_version   = "17"

network = {
  cidr         = "10.20.0.0/16"
  zones        = ["eu-west-1a", "eu-west-1b"]
  nat_gateways = "single"
}

cluster = {
  # Documentation range: write the networks you work from.
  public_access_cidrs = ["203.0.113.0/24"]
  access = {
    deploy = { principal_arn = "arn:aws:iam::123456789012:role/supabase-dev-deploy" }
  }
}

nodes = {
  instance_types   = ["t4g.large"]
  min_per_zone     = 1
  desired_per_zone = 1
  max_per_zone     = 2
}

database = {
  instance_class        = "db.t4g.medium"
  storage_gib           = 20
  max_storage_gib       = 100
  multi_az              = true
  backup_retention_days = 7
}

# No domain: the API answers under the load balancer's own name, without TLS.
domain = null

alerts = {
  emails = []
  alarms = false
}

budget = {
  monthly_usd = 560
}

deletion_protection = false
final_snapshot      = false
