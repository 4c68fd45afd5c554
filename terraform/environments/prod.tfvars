environment = "prod"
region      = "eu-west-1"
# AWS's documentation account: write your own account id.
account_id = "123456789012"

kubernetes_version = "1.35"
postgres_version   = "17"

network = {
  cidr         = "10.30.0.0/16"
  zones        = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  nat_gateways = "per_zone"
}

cluster = {
  # The Kubernetes API has no public endpoint: name the network that you deploy from, connected to the VPC by peering,
  # a transit gateway or a VPN.
  public_access_cidrs  = []
  private_access_cidrs = []
  zonal_shift          = true
  access = {
    deploy = { principal_arn = "arn:aws:iam::123456789012:role/supabase-prod-deploy" }
  }
}

nodes = {
  instance_types   = ["t4g.xlarge"]
  disk_gib         = 100
  min_per_zone     = 1
  desired_per_zone = 1
  max_per_zone     = 3
}

database = {
  instance_class        = "db.r6g.xlarge"
  storage_gib           = 100
  max_storage_gib       = 1000
  multi_az              = true
  backup_retention_days = 30
  replica               = {}
}

# Placeholder: write a public hosted zone of your account.
domain        = "example.com"
api_subdomain = "api"

firewall = {
  requests_per_5_minutes = 3000
}

log_retention_days = 400

alerts = {
  # Placeholder: write who is told.
  emails = ["ops@example.com"]
  alarms = true
}

budget = {
  monthly_usd = 2550
}

backup = {
  retention_days = 35
  vault_lock     = true
  copy_region    = "eu-central-1"
}

deletion_protection = true
final_snapshot      = true
