# What must hold before anything is planned, and what ought to hold after it is applied.

module "invocation" {
  source = "./modules/invocation"
}

locals {
  # End of standard support: a dated table, so that a calendar and not an outage tells.
  support = jsondecode(file("${path.module}/support.json"))

  # A version that is not in the table has ended long ago.
  kubernetes_support_end = "${lookup(local.support.kubernetes, var.kubernetes_version, "1970-01-01")}T00:00:00Z"
  postgres_support_end   = "${lookup(local.support.postgres, var.postgres_version, "1970-01-01")}T00:00:00Z"

  # Time with 60 days' notice.
  notice_time = timeadd(module.invocation.time, "1440h")
}

resource "terraform_data" "guard" {
  input = local.name_prefix

  lifecycle {
    precondition {
      condition     = module.invocation.workspace == var.environment
      error_message = "Workspace \"${module.invocation.workspace}\" is selected but the variables are those of \"${var.environment}\": run `terraform workspace select ${var.environment}` or give the other environment's -var-file."
    }

    precondition {
      condition     = timecmp(module.invocation.time, local.kubernetes_support_end) < 0
      error_message = "Standard support of Kubernetes ${var.kubernetes_version} on EKS ended on ${substr(local.kubernetes_support_end, 0, 10)}: raise kubernetes_version by one minor at a time."
    }

    precondition {
      condition     = timecmp(module.invocation.time, local.postgres_support_end) < 0
      error_message = "Standard support of PostgreSQL ${var.postgres_version} on RDS ended on ${substr(local.postgres_support_end, 0, 10)}: raise postgres_version."
    }

    precondition {
      condition     = var.database.upgrade_to == null ? true : var.database.upgrade_to == var.postgres_version
      error_message = "database.upgrade_to is \"${coalesce(var.database.upgrade_to, "null")}\" and postgres_version \"${var.postgres_version}\": an upgrade sets both to the new major version, and takes upgrade_to out once it is done."
    }

    precondition {
      condition     = !var.alerts.alarms || length(var.alerts.emails) > 0
      error_message = "alerts.alarms is true but alerts.emails is empty: alarms that nobody receives are refused; add an address or set alerts.alarms = false."
    }
  }
}

check "kubernetes_support" {
  assert {
    condition     = timecmp(local.notice_time, local.kubernetes_support_end) < 0
    error_message = "Standard support of Kubernetes ${var.kubernetes_version} on EKS ends on ${substr(local.kubernetes_support_end, 0, 10)}, in less than 60 days: plan the upgrade."
  }
}

check "postgres_support" {
  assert {
    condition     = timecmp(local.notice_time, local.postgres_support_end) < 0
    error_message = "Standard support of PostgreSQL ${var.postgres_version} on RDS ends on ${substr(local.postgres_support_end, 0, 10)}, in less than 60 days: plan the upgrade."
  }
}

check "cluster_serves" {
  assert {
    condition     = module.cluster.status == "ACTIVE"
    error_message = "Cluster ${local.name_prefix} is ${module.cluster.status}, not ACTIVE: look at its health in the EKS console."
  }
}

check "database_serves" {
  assert {
    condition     = contains(["available", "backing-up", "modifying", "configuring-enhanced-monitoring", "configuring-iam-database-auth", "storage-optimization"], module.database.status)
    error_message = "Database ${local.name_prefix} is ${module.database.status}: look at its events in the RDS console."
  }
}
