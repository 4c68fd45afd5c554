# The dev environment as it is checked in.

mock_provider "aws" {
  mock_data "aws_eks_addon_version" {
    defaults = {
      version = "v1.35.0-eksbuild.1"
    }
  }
}

override_data {
  target = module.network.data.aws_availability_zones.chosen
  values = {
    names = ["eu-west-1a", "eu-west-1b"]
  }
}

override_module {
  target = module.invocation
  outputs = {
    workspace = "dev"
    time      = "2026-11-21T00:00:00Z"
  }
}

# The checks of guards.tf look at what AWS answers after an apply.
override_resource {
  target          = module.cluster.aws_eks_cluster.this
  override_during = plan
  values = {
    status                = "ACTIVE"
    identity              = [{ oidc = [{ issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/TEST" }] }]
    certificate_authority = [{ data = "Q0E=" }]
  }
}

override_resource {
  target          = module.database.aws_db_instance.primary
  override_during = plan
  values = {
    status = "available"
  }
}

variables {
  database_password = "only-for-this-test"
}

run "read" {
  module {
    source = "./tests/environment"
  }

  variables {
    name = "dev"
  }
}

run "dev" {
  command = plan

  variables {
    environment         = run.read.values.environment
    region              = run.read.values.region
    account_id          = run.read.values.account_id
    kubernetes_version  = run.read.values.kubernetes_version
    postgres_version    = run.read.values.postgres_version
    network             = run.read.values.network
    cluster             = run.read.values.cluster
    nodes               = run.read.values.nodes
    database            = run.read.values.database
    storage             = run.read.values.storage
    domain              = run.read.values.domain
    api_subdomain       = run.read.values.api_subdomain
    firewall            = run.read.values.firewall
    log_retention_days  = run.read.values.log_retention_days
    alerts              = run.read.values.alerts
    container_insights  = run.read.values.container_insights
    budget              = run.read.values.budget
    backup              = run.read.values.backup
    deletion_protection = run.read.values.deletion_protection
    final_snapshot      = run.read.values.final_snapshot
  }

  assert {
    condition     = length(module.network.zones) == 2
    error_message = "Dev runs in two zones."
  }

  assert {
    condition     = length(module.network.nat_addresses) == 1
    error_message = "Dev pays for one NAT gateway."
  }

  assert {
    condition     = length(module.network.node_subnet_cidrs) == 2 && alltrue([for cidr in module.network.node_subnet_cidrs : tonumber(split("/", cidr)[1]) <= 20])
    error_message = "Node subnets are /20 or larger."
  }

  # What network policies are narrowed to.
  assert {
    condition     = alltrue([for cidrs in [output.public_subnet_cidrs, output.node_subnet_cidrs, output.database_subnet_cidrs] : length(cidrs) == 2 && alltrue([for cidr in cidrs : startswith(cidr, "10.")])])
    error_message = "The outputs name the ranges of the load balancer, the Pods and the database by zone."
  }

  assert {
    condition     = output.database_replica_host == null
    error_message = "Dev has no replica."
  }

  assert {
    condition     = length(module.dns) == 0 && output.hostname == null && output.certificate_arn == null
    error_message = "Dev has no domain."
  }

  assert {
    condition     = length(module.edge) == 0 && output.web_acl_arn == null
    error_message = "Dev has no firewall."
  }

  assert {
    condition     = length(module.backup) == 0
    error_message = "Dev relies on the backups of RDS."
  }

  assert {
    condition     = length(module.cost) == 1
    error_message = "Dev has a budget."
  }

  assert {
    condition     = local.deletion_protection == false && local.force_destroy == false
    error_message = "Dev can be destroyed, but not with what its buckets hold."
  }

  assert {
    condition     = jsonencode(local.tags) == jsonencode({ Project = "supabase", Environment = "dev", ManagedBy = "terraform", Repository = "supabase-on-aws", CostCenter = "platform" })
    error_message = "Tags come from one place."
  }

  assert {
    condition     = local.deploy_role_arn == "arn:aws:iam::123456789012:role/supabase-dev-deploy"
    error_message = "The policies of the keys name the role that terraform/bootstrap made for deploying."
  }

  assert {
    condition     = output.access_logs_bucket == "supabase-dev-logs-123456789012-eu-west-1"
    error_message = "Access logs are on."
  }

  assert {
    condition     = output.parameter_prefix == "/dev/supabase" && output.name_prefix == "supabase-dev"
    error_message = "Names carry the environment."
  }

  assert {
    condition     = length(aws_ssm_parameter.this) == 7 && alltrue([for parameter in aws_ssm_parameter.this : parameter.type == "String"])
    error_message = "Terraform writes only parameters that are not secret."
  }
}

run "teardown" {
  command = plan

  variables {
    environment         = run.read.values.environment
    region              = run.read.values.region
    account_id          = run.read.values.account_id
    kubernetes_version  = run.read.values.kubernetes_version
    postgres_version    = run.read.values.postgres_version
    network             = run.read.values.network
    cluster             = run.read.values.cluster
    nodes               = run.read.values.nodes
    database            = run.read.values.database
    storage             = run.read.values.storage
    domain              = run.read.values.domain
    api_subdomain       = run.read.values.api_subdomain
    firewall            = run.read.values.firewall
    log_retention_days  = run.read.values.log_retention_days
    alerts              = run.read.values.alerts
    container_insights  = run.read.values.container_insights
    budget              = run.read.values.budget
    backup              = run.read.values.backup
    deletion_protection = run.read.values.deletion_protection
    final_snapshot      = run.read.values.final_snapshot
    teardown            = true
  }

  assert {
    condition     = local.force_destroy
    error_message = "A tear-down may empty the buckets."
  }
}
