variable "name_prefix" {
  description = "Prefix of every name, and identifier of the primary."
  type        = string
}

variable "partition" {
  description = "AWS partition of the ARNs, such as `aws`."
  type        = string
}

variable "account_id" {
  description = "AWS account id."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here, or null."
  type        = string
}

variable "postgres_version" {
  description = "Major version of PostgreSQL."
  type        = string
}

variable "database_name" {
  description = "Name of the database made with the instance."
  type        = string
}

variable "master_username" {
  description = "Name of the master user; it is no superuser."
  type        = string
}

variable "password" {
  description = "Password of the master user. Ephemeral: kept in neither plan nor state."
  type        = string
  ephemeral   = true
}

variable "password_version" {
  description = "Number that rises when the password changes."
  type        = number
}

variable "port" {
  description = "TCP port of PostgreSQL."
  type        = number
  default     = 5432
}

variable "vpc_id" {
  description = "VPC of the database."
  type        = string
}

variable "subnet_ids" {
  description = "Isolated subnets by zone."
  type        = map(string)
}

variable "client_security_group_id" {
  description = "Security group whose members may connect."
  type        = string
}

variable "instance_class" {
  description = "Instance class of the primary."
  type        = string

  validation {
    condition     = can(regex("^db\\.", var.instance_class))
    error_message = "database.instance_class \"${var.instance_class}\" is no RDS class: write it like db.t4g.medium."
  }
}

variable "storage_gib" {
  description = "Storage at creation, GiB."
  type        = number
}

variable "max_storage_gib" {
  description = "Limit of storage autoscaling, GiB."
  type        = number
}

variable "multi_az" {
  description = "Whether the primary has a standby in another zone."
  type        = bool
}

variable "replica" {
  description = "Read replica, or null for none. Without a class of its own it takes the primary's."
  type = object({
    instance_class = optional(string)
    multi_az       = bool
  })

  # max_connections follows from memory; a standby with fewer than its primary does not start.
  validation {
    condition     = try(local.class_memory_gib[var.replica.instance_class] >= local.class_memory_gib[var.instance_class], true)
    error_message = "database.replica.instance_class \"${try(coalesce(var.replica.instance_class), "")}\" has less memory than the primary's \"${var.instance_class}\", hence fewer connections, which PostgreSQL refuses on a standby: name a class as large, or leave it out."
  }
}

variable "major_upgrade" {
  description = "Whether this run may take an existing database to the major version named, at once and not in its maintenance window."
  type        = bool
}

variable "backup_retention_days" {
  description = "Days of point-in-time recovery."
  type        = number
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the instances."
  type        = bool
}

variable "final_snapshot" {
  description = "Whether the primary leaves a snapshot behind when it is destroyed."
  type        = bool
}

variable "kms_key_arn" {
  description = "KMS key of storage, snapshots and Performance Insights."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the database's logs are kept."
  type        = number
}

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the database's logs."
  type        = string
}
