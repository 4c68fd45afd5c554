variable "environment" {
  description = "Name of the environment, equal to the Terraform workspace and to the name of the tfvars file."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}$", var.environment)) && var.environment != "default"
    error_message = "environment \"${var.environment}\" is refused: use 2 to 15 lower-case letters, digits or hyphens, beginning with a letter, and not \"default\"."
  }

  validation {
    condition     = !endswith(var.environment, "-") && !strcontains(var.environment, "--")
    error_message = "environment \"${var.environment}\" is refused: it becomes part of the database's name, in which RDS takes neither two hyphens in a row nor one at the end."
  }

  validation {
    condition     = !startswith(var.environment, "aws") && !startswith(var.environment, "ssm")
    error_message = "environment \"${var.environment}\" is refused: names of parameters begin with it, and the Parameter Store keeps those that begin with aws or ssm for AWS."
  }
}

variable "region" {
  description = "AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region \"${var.region}\" is no AWS region: write it like eu-west-1."
  }
}

variable "account_id" {
  description = "AWS account id; the provider refuses to work in any other account."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id \"${var.account_id}\" is no AWS account id: write its 12 digits in quotes."
  }
}

variable "repository" {
  description = "Repository that this environment is deployed from, as the Repository tag says."
  type        = string
  default     = "supabase-on-aws"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9 +=._:/@-]{1,256}$", var.repository))
    error_message = "repository \"${var.repository}\" is not a tag value: use up to 256 letters, digits, spaces and + - = . _ : / @."
  }
}

variable "cost_center" {
  description = "Who pays, as the CostCenter tag says."
  type        = string
  default     = "platform"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9 +=._:/@-]{1,256}$", var.cost_center))
    error_message = "cost_center \"${var.cost_center}\" is not a tag value: use up to 256 letters, digits, spaces and + - = . _ : / @."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. A control plane costs 73 USD a month in standard support and 438 in extended support, which is never entered."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = contains(keys(local.support.kubernetes), var.kubernetes_version)
    error_message = "kubernetes_version \"${var.kubernetes_version}\" is not in support.json: use ${join(" or ", keys(local.support.kubernetes))}."
  }
}

variable "postgres_version" {
  description = "Major version of PostgreSQL; RDS chooses and raises the minor one."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = contains(keys(local.support.postgres), var.postgres_version)
    error_message = "postgres_version \"${var.postgres_version}\" is not in support.json: use ${join(" or ", keys(local.support.postgres))}, without a minor version."
  }
}

variable "network" {
  description = <<-TEXT
    cidr: address range of the VPC, a /16 that no other environment uses.
    zones: names of 2 or 3 availability zones of the region; each costs a node at least.
    nat_gateways: `single` (about 36 USD a month) or `per_zone` (as much for each zone, and a zone can fail alone).
    interface_endpoints: AWS services reached without NAT, such as `ecr.api`; each costs about 8 USD a month and zone,
      and pays only beyond about 1 TB of NAT traffic a month.
    flow_log_traffic: `ALL`, `ACCEPT` or `REJECT`; CloudWatch takes about 0.5 USD for a GB.
  TEXT
  type = object({
    cidr                = string
    zones               = list(string)
    nat_gateways        = optional(string, "single")
    interface_endpoints = optional(set(string), [])
    flow_log_traffic    = optional(string, "ALL")
  })

  validation {
    condition     = can(cidrhost(var.network.cidr, 0)) && endswith(var.network.cidr, "/16")
    error_message = "network.cidr \"${var.network.cidr}\" must be an IPv4 range with /16, such as 10.20.0.0/16."
  }

  validation {
    condition     = can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", var.network.cidr)) && !startswith(var.network.cidr, "172.17.")
    error_message = "network.cidr \"${var.network.cidr}\" must be private (RFC 1918) and not 172.17.0.0/16, which containers use."
  }

  validation {
    condition     = contains([2, 3], length(distinct(var.network.zones))) && length(var.network.zones) == length(distinct(var.network.zones)) && alltrue([for zone in var.network.zones : can(regex("^${var.region}[a-z]$", zone))])
    error_message = "network.zones must name 2 or 3 different zones of ${var.region}, such as ${var.region}a: RDS and EKS need two, and subnets are cut for three."
  }

  validation {
    condition     = contains(["single", "per_zone"], var.network.nat_gateways)
    error_message = "network.nat_gateways \"${var.network.nat_gateways}\" must be \"single\" or \"per_zone\"."
  }

  validation {
    condition     = contains(["ALL", "ACCEPT", "REJECT"], var.network.flow_log_traffic)
    error_message = "network.flow_log_traffic \"${var.network.flow_log_traffic}\" must be ALL, ACCEPT or REJECT."
  }
}

variable "cluster" {
  description = <<-TEXT
    public_access_cidrs: networks that reach the Kubernetes API from outside the VPC. None switches the public endpoint
      off: deployments then run in one of private_access_cidrs.
    private_access_cidrs: private networks (a runner's VPC, a VPN) that reach the private endpoint over a connection of
      yours to the VPC; without one, nobody but the nodes does.
    service_cidr: addresses of Kubernetes Services; unchangeable once the cluster exists.
    zonal_shift: let EKS move traffic away from an impaired zone; free.
    access: who may use the Kubernetes API, by a name of yours: the ARN of an IAM role (or user), an EKS access policy,
      and the namespaces it holds for (none: the whole cluster). Whoever deploys needs AmazonEKSClusterAdminPolicy.
  TEXT
  type = object({
    public_access_cidrs  = optional(list(string), [])
    private_access_cidrs = optional(list(string), [])
    service_cidr         = optional(string, "172.20.0.0/16")
    zonal_shift          = optional(bool, false)
    access = map(object({
      principal_arn = string
      policy        = optional(string, "AmazonEKSClusterAdminPolicy")
      namespaces    = optional(list(string), [])
    }))
  })

  validation {
    condition     = alltrue([for cidr in var.cluster.public_access_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "cluster.public_access_cidrs holds a range that is malformed or open to everybody: list the networks you work from, such as 203.0.113.0/24, or none."
  }

  validation {
    condition     = alltrue([for cidr in var.cluster.private_access_cidrs : can(cidrnetmask(cidr)) && can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", cidr)) && try(cidrhost(cidr, 0) == split("/", cidr)[0], false)])
    error_message = "cluster.private_access_cidrs holds a range that is malformed or not private (RFC 1918): list the networks that are connected to the VPC, such as 10.90.0.0/16, or none."
  }

  validation {
    condition     = contains(["172.20.0.0/16", "10.100.0.0/16"], var.cluster.service_cidr) && try(split(".", var.cluster.service_cidr)[0] != split(".", var.network.cidr)[0] || split(".", var.cluster.service_cidr)[1] != split(".", var.network.cidr)[1], false)
    error_message = "cluster.service_cidr \"${var.cluster.service_cidr}\" must be 172.20.0.0/16 or 10.100.0.0/16 and must not overlap network.cidr."
  }

  validation {
    condition     = anytrue([for entry in var.cluster.access : entry.policy == "AmazonEKSClusterAdminPolicy" && length(entry.namespaces) == 0])
    error_message = "cluster.access names nobody with AmazonEKSClusterAdminPolicy for the whole cluster: whoever deploys could not use it, since creating a cluster gives no rights in it."
  }

  validation {
    condition     = alltrue([for entry in var.cluster.access : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", entry.principal_arn))])
    error_message = "cluster.access holds a principal_arn that is not the ARN of an IAM role or user, such as arn:aws:iam::123456789012:role/deploy."
  }

  validation {
    condition = alltrue([for entry in var.cluster.access : contains([
      "AmazonEKSAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy",
    ], entry.policy)])
    error_message = "cluster.access holds an unknown policy: use AmazonEKSClusterAdminPolicy, AmazonEKSAdminPolicy, AmazonEKSAdminViewPolicy, AmazonEKSEditPolicy or AmazonEKSViewPolicy."
  }
}

variable "nodes" {
  description = <<-TEXT
    Node group of each zone. Two t4g.large cost about 98 USD a month, three t4g.xlarge about 294.
    architecture: `arm64` (a fifth cheaper) or `x86_64`; instance_types must fit it.
    desired_per_zone holds at creation only: the cluster autoscaler moves it between min_per_zone and max_per_zone.
  TEXT
  type = object({
    architecture     = optional(string, "arm64")
    instance_types   = list(string)
    disk_gib         = optional(number, 50)
    min_per_zone     = optional(number, 1)
    desired_per_zone = optional(number, 1)
    max_per_zone     = optional(number, 2)
  })

  validation {
    condition     = contains(["arm64", "x86_64"], var.nodes.architecture)
    error_message = "nodes.architecture \"${var.nodes.architecture}\" must be arm64 or x86_64."
  }

  validation {
    condition = length(var.nodes.instance_types) > 0 && alltrue([
      for type in var.nodes.instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9]+$", type)) && can(regex("^[a-z]+[0-9]+g[a-z]*\\.", type)) == (var.nodes.architecture == "arm64")
    ])
    error_message = "nodes.instance_types (${join(", ", var.nodes.instance_types)}) must name at least one type, all of architecture ${var.nodes.architecture}: arm64 types carry a g after the generation, such as t4g.large."
  }

  validation {
    condition     = var.nodes.min_per_zone >= 1 && var.nodes.min_per_zone <= var.nodes.desired_per_zone && var.nodes.desired_per_zone <= var.nodes.max_per_zone
    error_message = "nodes: 1 <= min_per_zone <= desired_per_zone <= max_per_zone must hold (${var.nodes.min_per_zone}, ${var.nodes.desired_per_zone}, ${var.nodes.max_per_zone})."
  }

  validation {
    condition     = var.nodes.disk_gib >= 20 && var.nodes.disk_gib <= 16384
    error_message = "nodes.disk_gib must be 20 or more, since images and logs of one node need that much, and 16384 at most, as EBS has it."
  }
}

variable "database" {
  description = <<-TEXT
    instance_class: a Graviton class with known memory. Multi-AZ a month: db.t4g.medium about 95 USD, db.r6g.large about
      329, db.r6g.xlarge about 657; a one-year reservation takes off about a third.
    storage_gib: gp3 at creation, 0.23 USD a GB and month with Multi-AZ; grows by itself up to max_storage_gib. From 400
      GiB on, AWS gives four times the disk operations.
    multi_az: a standby in another zone; off halves the price of instance and storage.
    backup_retention_days: point-in-time recovery; free up to the size of the database.
    upgrade_to: the major version that an existing database may be upgraded to, at once and for some minutes out of
      service; set it together with postgres_version, and take it out once the upgrade is done.
    replica: a second instance to read from, or null. Its class is the primary's, at half the price of Multi-AZ, unless a
      larger one is named: PostgreSQL refuses a standby that takes fewer connections than its primary, and RDS derives
      their number from memory.
  TEXT
  type = object({
    instance_class        = string
    storage_gib           = optional(number, 20)
    max_storage_gib       = optional(number, 100)
    multi_az              = optional(bool, true)
    backup_retention_days = optional(number, 7)
    upgrade_to            = optional(string)
    replica = optional(object({
      instance_class = optional(string)
      multi_az       = optional(bool, false)
    }))
  })

  validation {
    condition = alltrue([for class in compact([var.database.instance_class, try(var.database.replica.instance_class, null)]) : contains([
      "db.t4g.medium", "db.t4g.large", "db.t4g.xlarge", "db.m7g.large", "db.m7g.xlarge", "db.m7g.2xlarge", "db.r6g.large", "db.r6g.xlarge", "db.r6g.2xlarge",
      "db.r7g.large", "db.r7g.xlarge", "db.r7g.2xlarge", "db.r7g.4xlarge", "db.r8g.large", "db.r8g.xlarge", "db.r8g.2xlarge", "db.r8g.4xlarge", "db.r8g.8xlarge", "db.r8g.16xlarge",
    ], class)])
    error_message = "database.instance_class (or that of the replica) is not in the table of modules/database/capacity.tf, which alarms take their thresholds from: use one of it, such as db.t4g.medium, or add yours."
  }

  validation {
    condition     = var.database.storage_gib >= 20 && var.database.max_storage_gib >= var.database.storage_gib * 1.26 && var.database.max_storage_gib <= 65536
    error_message = "database: storage_gib must be 20 or more, and max_storage_gib at least 26 % above it, or storage cannot grow, and 65536 at most (${var.database.storage_gib}, ${var.database.max_storage_gib})."
  }

  validation {
    condition     = var.database.backup_retention_days >= 7 && var.database.backup_retention_days <= 35
    error_message = "database.backup_retention_days must be 7 to 35 (is ${var.database.backup_retention_days})."
  }
}

variable "database_password" {
  description = "Password of the master user, 16 to 128 URL-safe characters, best through TF_VAR_database_password. Ephemeral: in neither plan nor state. AWS receives it when the database is created and when database_password_version rises; in every other run any value of the form does."
  type        = string
  ephemeral   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{16,128}$", var.database_password))
    error_message = "database_password must be 16 to 128 letters, digits, hyphens or underscores: RDS refuses / @ \" and spaces, and connection URLs break on others."
  }
}

variable "database_password_version" {
  description = "Raise it by one to make RDS take the database_password given with this run."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.database_password_version >= 1 && floor(var.database_password_version) == var.database_password_version
    error_message = "database_password_version must be a whole number from 1 (is ${var.database_password_version})."
  }
}

variable "storage" {
  description = <<-TEXT
    cors_allowed_origins: web origins that may use presigned URLs of the bucket; none when all traffic goes through Supabase.
    noncurrent_version_days: days that an overwritten or deleted object can be had back, at storage price.
    backup_expire_days: days that a logical backup is kept.
  TEXT
  type = object({
    cors_allowed_origins    = optional(list(string), [])
    noncurrent_version_days = optional(number, 30)
    backup_expire_days      = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for origin in var.storage.cors_allowed_origins : can(regex("^https?://[^*/]+$", origin))])
    error_message = "storage.cors_allowed_origins holds something else than exact origins such as https://app.example.com; `*` is refused."
  }

  validation {
    condition     = var.storage.noncurrent_version_days >= 1 && var.storage.backup_expire_days >= 1
    error_message = "storage.noncurrent_version_days and storage.backup_expire_days must be 1 or more."
  }
}

variable "domain" {
  description = "Public hosted zone of Route 53 in this account, or null. With it there is a certificate and a DNS record; without it the API has only the load balancer's own name and no TLS. About 0.50 USD a month for the zone."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain \"${var.domain == null ? "" : var.domain}\" is no domain name: write it like example.com, in lower case and without a final dot."
  }
}

variable "api_subdomain" {
  description = "Name of the API below the domain."
  type        = string
  default     = "api"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$", var.api_subdomain))
    error_message = "api_subdomain \"${var.api_subdomain}\" must be one or more labels of lower-case letters, digits and inner hyphens, such as api or api.dev."
  }

  validation {
    condition     = var.domain == null ? true : length("${var.api_subdomain}.${var.domain}") <= 64
    error_message = "api_subdomain and domain make a host name of ${length("${var.api_subdomain}.${var.domain == null ? "" : var.domain}")} characters: the first name of a certificate may have 64."
  }
}

variable "firewall" {
  description = "Web application firewall, or null for none: about 9 USD a month and 0.60 for a million requests. requests_per_5_minutes: what one address may ask before it is blocked."
  type = object({
    requests_per_5_minutes = optional(number, 3000)
  })
  default = null

  validation {
    condition     = var.firewall == null ? true : var.firewall.requests_per_5_minutes >= 100
    error_message = "firewall.requests_per_5_minutes must be 100 or more: AWS takes nothing lower."
  }
}

variable "access_logs" {
  description = "Whether the load balancer and the buckets log every request to a bucket of their own, at storage price."
  type        = bool
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept, in CloudWatch (0.03 USD a GB and month) and in the access log bucket."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days ${var.log_retention_days} is refused: an audit wants a year, so use 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "alerts" {
  description = <<-TEXT
    emails: who is told; each address has to confirm once.
    alarms: whether alarms are made; about 0.10 USD a month each, a query alarm more.
    load_balancer: `app/<name>/<id>`, as the ingress stage prints it; adds the alarm on p99 latency.
  TEXT
  type = object({
    emails        = optional(set(string), [])
    alarms        = optional(bool, true)
    load_balancer = optional(string)
  })
  default  = { alarms = false }
  nullable = false

  validation {
    condition     = alltrue([for email in var.alerts.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "alerts.emails holds something that is no e-mail address."
  }

  validation {
    condition     = var.alerts.load_balancer == null ? true : can(regex("^app/[^/]+/[0-9a-f]+$", var.alerts.load_balancer))
    error_message = "alerts.load_balancer must look like app/k8s-supabase-supabase-0123456789/50dc6c495c0c9188."
  }
}

variable "container_insights" {
  description = "Whether metrics and logs of nodes and pods go to CloudWatch; some 5 to 20 USD a month for a small cluster."
  type        = bool
  default     = true
  nullable    = false
}

variable "budget" {
  description = <<-TEXT
    Monthly budget, or null for none. Free.
    monthly_usd: alerts come at 80 % spent and at 100 % forecast.
    anomaly_usd: impact from which an unusual spending of the environment is reported. Off by default: Cost Explorer
      lets only an organization's management account, or an account without an organization, watch by tag.
  TEXT
  type = object({
    monthly_usd = number
    anomaly_usd = optional(number)
  })
  default = null

  validation {
    condition     = var.budget == null ? true : var.budget.monthly_usd > 0
    error_message = "budget.monthly_usd must be more than 0."
  }
}

variable "backup" {
  description = <<-TEXT
    AWS Backup beside the backups of RDS, or null; about 0.10 USD a GB and month.
    retention_days: days that a backup is kept; at most 365 with copy_region, whose vault is locked to that.
    vault_lock: refuse to delete backups before their time.
    copy_region: a copy in another region, into the vault that terraform/bootstrap makes there.
  TEXT
  type = object({
    retention_days = optional(number, 35)
    vault_lock     = optional(bool, true)
    copy_region    = optional(string)
  })
  default = null

  validation {
    condition     = var.backup == null ? true : var.backup.retention_days >= 7
    error_message = "backup.retention_days must be 7 or more, the least that the vault lock takes."
  }

  validation {
    condition     = try(var.backup.copy_region, null) == null ? true : var.backup.retention_days <= local.copy_vault_max_days
    error_message = "backup.retention_days (${try(var.backup.retention_days, 0)}) must be ${local.copy_vault_max_days} or less with a copy_region: the vault of the copies takes nothing that stays longer, and each night's copy would fail."
  }

  validation {
    condition     = try(var.backup.copy_region, null) != var.region
    error_message = "backup.copy_region must be another region than region."
  }
}

variable "permissions_boundary" {
  description = "Whether roles carry the boundary `<name_prefix>-boundary` that terraform/bootstrap makes; the deploy role may make no others."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the database, and keys wait 30 days before they are gone."
  type        = bool
  default     = true
  nullable    = false
}

variable "final_snapshot" {
  description = "Whether the database leaves a snapshot behind when it is destroyed; about 0.10 USD a GB and month until it is deleted by hand."
  type        = bool
  default     = true
  nullable    = false
}

variable "teardown" {
  description = "True in the apply before a destroy and in the destroy: lifts deletion protection and lets buckets and vault be deleted with what is in them."
  type        = bool
  default     = false
  nullable    = false
}

variable "kept_keys" {
  description = "KMS keys, by purpose, that an earlier environment of this name left to its snapshots; taken over instead of made. xtask fills it in."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for purpose in keys(var.kept_keys) : purpose == "database"])
    error_message = "kept_keys may hold the key `database` only: no other outlives its environment."
  }
}

variable "existing_log_groups" {
  description = "Names of log groups of this environment that exist already and are to be taken over. Given by the runner, never written in an environment's file."
  type        = set(string)
  default     = []
}
