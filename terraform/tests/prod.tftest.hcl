# The prod environment as it is checked in.

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
    names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  }
}

override_module {
  target = module.invocation
  outputs = {
    workspace = "prod"
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
    name = "prod"
  }
}

run "prod" {
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
    condition     = length(module.network.zones) == 3
    error_message = "Prod runs in three zones."
  }

  assert {
    condition     = length(module.network.nat_addresses) == 3
    error_message = "Each zone of prod has its own NAT gateway."
  }

  assert {
    condition     = alltrue([for cidr in module.network.node_subnet_cidrs : tonumber(split("/", cidr)[1]) <= 20])
    error_message = "Node subnets are /20 or larger."
  }

  assert {
    condition     = var.database.multi_az && var.database.replica != null && var.database.backup_retention_days >= 30
    error_message = "Prod has a standby, a replica and a month of recovery."
  }

  assert {
    condition     = length(module.database.capacity.instances) == 2
    error_message = "The replica has its own alarms."
  }

  assert {
    condition     = !anytrue([for entry in var.cluster.access : endswith(entry.principal_arn, "-plan")])
    error_message = "The role of plans, which any branch may assume, does not get into the cluster, where it would read every Secret."
  }

  assert {
    condition     = length(module.dns) == 1 && output.hostname == "api.example.com"
    error_message = "Prod has a host name of its own."
  }

  assert {
    condition     = length(module.edge) == 1
    error_message = "Prod has a firewall."
  }

  assert {
    condition     = length(module.backup) == 1 && var.backup.vault_lock && var.backup.copy_region != null && var.backup.copy_region != var.region
    error_message = "Prod has locked backups and a copy in another region."
  }

  # The vault of the copies is made by terraform/bootstrap.
  assert {
    condition     = one(regex("max_retention_days = ([0-9]+)", file("${path.module}/bootstrap/main.tf"))) == tostring(local.copy_vault_max_days)
    error_message = "The longest retention that variables.tf lets through is that of the vault of the copies."
  }

  assert {
    condition     = length(module.cost) == 1 && var.budget.anomaly_usd == null
    error_message = "Prod has a budget; AWS refuses a watch by tag outside the management account, so nobody gets one unasked."
  }

  assert {
    condition     = var.alerts.alarms && length(var.alerts.emails) > 0
    error_message = "Alarms of prod reach somebody."
  }

  assert {
    condition     = local.deletion_protection && !local.force_destroy && var.final_snapshot
    error_message = "Prod cannot be destroyed by mistake."
  }

  assert {
    condition     = length(var.cluster.public_access_cidrs) == 0
    error_message = "The Kubernetes API of prod is private."
  }

  assert {
    condition     = length(module.database.capacity.max_connections) == 2 && module.database.capacity.max_connections.primary == 3604
    error_message = "Alarms know how many connections the class allows."
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
    condition     = !local.deletion_protection && local.force_destroy
    error_message = "A tear-down lifts the protection."
  }

  assert {
    condition     = var.final_snapshot
    error_message = "A tear-down still leaves a final snapshot, unless told otherwise."
  }
}
