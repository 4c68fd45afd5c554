variable "account_id" {
  description = "AWS account id; the provider refuses to work in any other account."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id \"${var.account_id}\" is no AWS account id: write its 12 digits in quotes."
  }
}

variable "region" {
  description = "Region of the state bucket and of the environments."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region \"${var.region}\" is no AWS region: write it like eu-west-1."
  }
}

variable "environments" {
  description = "Environments that live in this account. backup_copy: whether a vault for copies of its backups is made in backup_copy_region. branches: branches whose jobs may deploy the environment, by default GitHub's default branch alone. operators: IAM roles or users, by ARN, that may assume the environment's deploy role beside GitHub."
  type = map(object({
    backup_copy = optional(bool, false)
    branches    = optional(list(string), [])
    operators   = optional(list(string), [])
  }))

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in keys(var.environments) : can(regex("^[a-z][a-z0-9-]{1,14}$", name)) && name != "default"])
    error_message = "environments must name at least one environment, each with 2 to 15 lower-case letters, digits or hyphens and none called \"default\"."
  }

  # Every right is a pattern such as supabase-dev-*, and the state bucket is called supabase-terraform-state-…
  validation {
    condition     = alltrue(flatten([for name in keys(var.environments) : [for other in keys(var.environments) : name == other || !startswith(other, name)]]))
    error_message = "environments: ${join(", ", flatten([for name in keys(var.environments) : [for other in keys(var.environments) : "\"${other}\" begins with \"${name}\"" if name != other && startswith(other, name)]]))}, so that the rights on one would hold for the other: rename one, or give it an account of its own."
  }

  validation {
    condition     = alltrue([for name in keys(var.environments) : !startswith(name, "terraform")])
    error_message = "environments: no name may begin with \"terraform\": the state bucket's does, and the rights of such an environment would hold for it."
  }

  validation {
    condition     = alltrue(flatten([for environment in var.environments : [for branch in environment.branches : can(regex("^[A-Za-z0-9._/-]+$", branch))]]))
    error_message = "environments: a branch is not the name of one branch, such as main: wildcards and refs/heads/ are not understood."
  }

  validation {
    condition     = !anytrue([for name in keys(var.environments) : endswith(name, "-") || strcontains(name, "--") || startswith(name, "aws") || startswith(name, "ssm")])
    error_message = "environments holds a name that RDS or the Parameter Store refuses: no two hyphens in a row, none at the end, and no aws or ssm at the beginning."
  }

  validation {
    condition     = alltrue(flatten([for environment in var.environments : [for arn in environment.operators : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))]]))
    error_message = "environments: an operator is not the ARN of one IAM role or user, such as arn:aws:iam::123456789012:role/platform."
  }
}

variable "github" {
  description = <<-TEXT
    Repository whose workflows may plan and deploy, or null for none.
    owner_id, repository_id: numbers that GitHub puts into the subject of repositories made after 15 July 2026 (or opted
      in), and that nobody gets who takes over a name later: `gh api repos/OWNER/REPOSITORY --jq '.owner.id, .id'`.
    create_provider: false when the account already has the identity provider of GitHub; there can be only one.
  TEXT
  type = object({
    owner           = string
    repository      = string
    owner_id        = optional(number)
    repository_id   = optional(number)
    default_branch  = optional(string, "main")
    create_provider = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.github == null ? true : can(regex("^[A-Za-z0-9-]+$", var.github.owner)) && can(regex("^[A-Za-z0-9._-]+$", var.github.repository))
    error_message = "github.owner and github.repository must be the two parts of OWNER/REPOSITORY, without wildcards."
  }

  validation {
    condition     = var.github == null ? true : (var.github.owner_id == null) == (var.github.repository_id == null)
    error_message = "github.owner_id and github.repository_id belong together: give both."
  }

  # The placeholder is refused by xtask, in any account but that of AWS's documentation.
  validation {
    condition     = try(var.github.owner, "example") == "example" || try(var.github.owner_id, null) != null
    error_message = "github.owner_id and github.repository_id are missing, without which GitHub's jobs could not use the roles: `gh api repos/${try(var.github.owner, "")}/${try(var.github.repository, "")} --jq '.owner.id, .id'` prints both."
  }
}

variable "backup_copy_region" {
  description = "Region of the vaults for copies of backups, or null for none."
  type        = string
  default     = null

  validation {
    condition     = var.backup_copy_region != var.region && (var.backup_copy_region != null || !anytrue([for environment in var.environments : environment.backup_copy]))
    error_message = "backup_copy_region must be another region than region, and is needed when an environment has backup_copy = true."
  }
}
