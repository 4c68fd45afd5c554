# Every validation refuses what it is there for. Each run spoils many variables at once, one validation of each,
# because a run costs a whole plan.
# A validation that reads another variable is not evaluated while that one is bad, hence the later runs.

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

override_module {
  target = module.invocation
  outputs = {
    workspace = "dev"
    time      = "2026-11-21T00:00:00Z"
  }
}

variables {
  environment       = "dev"
  region            = "eu-west-1"
  account_id        = "123456789012"
  database_password = "only-for-this-test"
  network           = { cidr = "10.20.0.0/16", zones = ["eu-west-1a", "eu-west-1b"] }
  cluster           = { access = { deploy = { principal_arn = "arn:aws:iam::123456789012:role/deploy" } } }
  nodes             = { instance_types = ["t4g.large"] }
  database          = { instance_class = "db.t4g.medium" }
}

run "first" {
  command = plan

  variables {
    # environment default
    environment = "default"
    # region
    region = "Ireland"
    # account id
    account_id = "12345"
    # kubernetes version
    kubernetes_version = "1.30"
    # postgres minor
    postgres_version = "17.4"
    # nodes architecture
    nodes = { architecture = "arm", instance_types = ["t4g.large"] }
    # database class
    database = { instance_class = "db.t2.micro" }
    # database password character
    database_password = "pass@word/with space"
    # database password version
    database_password_version = 0
    # storage any origin
    storage = { cors_allowed_origins = ["*"] }
    # domain
    domain = "https://example.com/"
    # firewall
    firewall = { requests_per_5_minutes = 1 }
    # log retention
    log_retention_days = 7
    # alerts email
    alerts = { emails = ["nobody"] }
    # budget
    budget = { monthly_usd = 0 }
  }

  expect_failures = [
    var.environment,
    var.region,
    var.account_id,
    var.kubernetes_version,
    var.postgres_version,
    var.nodes,
    var.database,
    var.database_password,
    var.database_password_version,
    var.storage,
    var.domain,
    var.firewall,
    var.log_retention_days,
    var.alerts,
    var.budget,
  ]
}

run "second" {
  command = plan

  variables {
    # environment upper case
    environment = "Dev"
    # network size
    network = { cidr = "10.20.0.0/20", zones = ["eu-west-1a", "eu-west-1b"] }
    # nodes mixed architecture
    nodes = { instance_types = ["t4g.large", "t3.large"] }
    # database replica class
    database = { instance_class = "db.t4g.medium", replica = { instance_class = "db.x.y" } }
    # database password short
    database_password = "short"
    # storage days
    storage = { backup_expire_days = 0 }
    # api subdomain
    api_subdomain = "API_"
    # alerts load balancer
    alerts = { load_balancer = "k8s", alarms = false }
    # backup retention
    backup = { retention_days = 1 }
  }

  expect_failures = [
    var.environment,
    var.network,
    var.nodes,
    var.database,
    var.database_password,
    var.storage,
    var.api_subdomain,
    var.alerts,
    var.backup,
  ]
}

run "third" {
  command = plan

  variables {
    # network public
    network = { cidr = "11.20.0.0/16", zones = ["eu-west-1a", "eu-west-1b"] }
    # nodes order
    nodes = { instance_types = ["t4g.large"], min_per_zone = 3, desired_per_zone = 2 }
    # database cannot grow
    database = { instance_class = "db.t4g.medium", storage_gib = 100, max_storage_gib = 100 }
    # backup same region
    backup = { copy_region = "eu-west-1" }
  }

  expect_failures = [
    var.network,
    var.nodes,
    var.database,
    var.backup,
  ]
}

run "fourth" {
  command = plan

  variables {
    # network one zone
    network = { cidr = "10.20.0.0/16", zones = ["eu-west-1a"] }
    # nodes disk
    nodes = { instance_types = ["t4g.large"], disk_gib = 8 }
    # database backup
    database = { instance_class = "db.t4g.medium", backup_retention_days = 1 }
  }

  expect_failures = [
    var.network,
    var.nodes,
    var.database,
  ]
}

run "fifth" {
  command = plan

  variables {
    # network zone of other region
    network = { cidr = "10.20.0.0/16", zones = ["eu-west-1a", "us-east-1b"] }
  }

  expect_failures = [
    var.network,
  ]
}

run "sixth" {
  command = plan

  variables {
    # network nat
    network = { cidr = "10.20.0.0/16", zones = ["eu-west-1a", "eu-west-1b"], nat_gateways = "none" }
  }

  expect_failures = [
    var.network,
  ]
}

run "seventh" {
  command = plan

  variables {
    # network flow log
    network = { cidr = "10.20.0.0/16", zones = ["eu-west-1a", "eu-west-1b"], flow_log_traffic = "SOME" }
  }

  expect_failures = [
    var.network,
  ]
}

run "eighth" {
  command = plan

  variables {
    # cluster open to all
    cluster = { public_access_cidrs = ["0.0.0.0/0"], access = { deploy = { principal_arn = "arn:aws:iam::123456789012:role/deploy" } } }
  }

  expect_failures = [
    var.cluster,
  ]
}

run "ninth" {
  command = plan

  variables {
    # cluster service cidr unknown
    cluster = { service_cidr = "10.20.0.0/16", access = { deploy = { principal_arn = "arn:aws:iam::123456789012:role/deploy" } } }
  }

  expect_failures = [
    var.cluster,
  ]
}

run "tenth" {
  command = plan

  variables {
    # cluster nobody
    cluster = { access = {} }
  }

  expect_failures = [
    var.cluster,
  ]
}

run "eleventh" {
  command = plan

  variables {
    # cluster principal
    cluster = { access = { deploy = { principal_arn = "deploy" } } }
  }

  expect_failures = [
    var.cluster,
  ]
}

run "twelfth" {
  command = plan

  variables {
    # cluster policy
    cluster = { access = { deploy = { principal_arn = "arn:aws:iam::123456789012:role/deploy" }, x = { principal_arn = "arn:aws:iam::123456789012:role/x", policy = "Root" } } }
  }

  expect_failures = [
    var.cluster,
  ]
}

run "thirteenth" {
  command = plan

  variables {
    # cluster private network malformed
    cluster = { private_access_cidrs = ["10.90.0.0"], access = { deploy = { principal_arn = "arn:aws:iam::123456789012:role/deploy" } } }
  }

  expect_failures = [
    var.cluster,
  ]
}

run "fourteenth" {
  command = plan

  variables {
    # cluster private network public
    cluster = { private_access_cidrs = ["203.0.113.0/24"], access = { deploy = { principal_arn = "arn:aws:iam::123456789012:role/deploy" } } }
  }

  expect_failures = [
    var.cluster,
  ]
}

run "fifteenth" {
  command = plan

  variables {
    # environment ends with a hyphen
    environment = "dev-"
    # api subdomain empty label
    api_subdomain = "api..dev"
    # cost center character
    cost_center = "team;1"
    # repository character
    repository = "owner/<repository>"
    # kept key of another purpose
    kept_keys = { storage = "00000000-0000-0000-0000-000000000000" }
    # backup longer than the vault of copies keeps
    backup = { retention_days = 366, copy_region = "eu-central-1" }
  }

  expect_failures = [
    var.environment,
    var.api_subdomain,
    var.cost_center,
    var.repository,
    var.kept_keys,
    var.backup,
  ]
}

run "sixteenth" {
  command = plan

  variables {
    # environment two hyphens
    environment = "a--b"
    # api subdomain label ends with a hyphen
    api_subdomain = "api-.dev"
    # database class of no account
    database = { instance_class = "db.t4g.medium", storage_gib = 60000, max_storage_gib = 80000 }
  }

  expect_failures = [
    var.environment,
    var.api_subdomain,
    var.database,
  ]
}

run "seventeenth" {
  command = plan

  variables {
    # environment reserved by the parameter store
    environment = "aws-test"
    # host name longer than a certificate's first name
    api_subdomain = "a-label-that-is-short-enough-and-a-host-that-is-too-long"
    domain        = "example.com"
  }

  expect_failures = [
    var.environment,
    var.api_subdomain,
  ]
}

run "eighteenth" {
  command = plan

  variables {
    # environment reserved by the parameter store
    environment = "ssm1"
  }

  expect_failures = [
    var.environment,
  ]
}
