# Plans are refused in the wrong workspace, beyond the end of support, and with alarms that nobody receives.

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

# A test runs in workspace default, so nothing needs to be overridden to see it refused.
run "default_workspace" {
  command = plan

  expect_failures = [terraform_data.guard]
}

# The state of prod must not be changed with the variables of dev.
run "other_workspace" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "prod"
      time      = "2026-11-21T00:00:00Z"
    }
  }

  expect_failures = [terraform_data.guard]
}

# The counterpart: the same configuration is accepted in its own workspace.
run "right_workspace" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "dev"
      time      = "2026-11-21T00:00:00Z"
    }
  }

  assert {
    condition     = terraform_data.guard.input == "supabase-dev"
    error_message = "The guard lets the right workspace pass."
  }

  assert {
    condition     = local.deploy_role_arn == null
    error_message = "A role of another name may not be there, and KMS refuses a policy that names one that is not."
  }
}

# The end of Kubernetes 1.35 on EKS.
run "support_ended" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "dev"
      time      = "2027-03-27T00:00:00Z"
    }
  }

  expect_failures = [terraform_data.guard, check.kubernetes_support]
}

# Sixty days before it, a plan still works but says so.
run "support_ends_soon" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "dev"
      time      = "2027-01-27T00:00:00Z"
    }
  }

  expect_failures = [check.kubernetes_support]
}

# A newer version is not affected.
run "next_version_supported" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "dev"
      time      = "2027-03-28T00:00:00Z"
    }
  }

  variables {
    kubernetes_version = "1.36"
  }
}

# The end of PostgreSQL 17 on RDS; Kubernetes ended long before.
run "database_support_ended" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "dev"
      time      = "2030-02-28T00:00:00Z"
    }
  }

  expect_failures = [terraform_data.guard, check.kubernetes_support, check.postgres_support]
}

# Alarms without a subscriber.
run "alarms_nobody_hears" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "dev"
      time      = "2026-11-21T00:00:00Z"
    }
  }

  variables {
    alerts = { alarms = true, emails = [] }
  }

  expect_failures = [terraform_data.guard]
}

# Alarms with one.
run "alarms_heard" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "dev"
      time      = "2026-11-21T00:00:00Z"
    }
  }

  variables {
    alerts = { alarms = true, emails = ["ops@example.com"] }
  }
}

# An upgrade that names another version than the one that is wanted.
run "upgrade_to_another" {
  command = plan

  override_module {
    target = module.invocation
    outputs = {
      workspace = "dev"
      time      = "2026-11-21T00:00:00Z"
    }
  }

  variables {
    database = { instance_class = "db.t4g.medium", upgrade_to = "18" }
  }

  expect_failures = [terraform_data.guard]
}
