variable "name_prefix" {
  description = "Prefix of every name, `supabase-<environment>`."
  type        = string
}

variable "partition" {
  description = "AWS partition of the ARNs, such as `aws`."
  type        = string
}

variable "region" {
  description = "AWS region."
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

variable "kms_key_arn" {
  description = "KMS key of logs and alerts."
  type        = string
}

variable "log_retention_days" {
  description = "Days that logs of nodes and pods are kept."
  type        = number
}

variable "emails" {
  description = "Addresses that receive alerts; each has to confirm once."
  type        = set(string)
}

variable "alarms" {
  description = "Whether alarms are made."
  type        = bool
}

variable "container_insights" {
  description = "Whether the cluster sends metrics and logs of its nodes and pods to CloudWatch."
  type        = bool
}

variable "load_balancer" {
  description = "Load balancer as CloudWatch names it (`app/<name>/<id>`) for the p99 latency alarm, or null."
  type        = string
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes, which the add-on's version has to fit."
  type        = string
}

variable "node_groups" {
  description = "Ids of the node groups, which the agent waits for."
  type        = map(string)
}

variable "oidc" {
  description = "Identity provider of the cluster: its ARN and its issuer URL."
  type = object({
    provider_arn = string
    issuer       = string
  })
}

variable "database" {
  description = "What the database's alarms measure against, by instance."
  type = object({
    instances = map(object({
      identifier = string
      replica    = bool
    }))
    memory_bytes    = map(number)
    max_connections = map(number)
    burstable       = map(bool)
    storage_bytes   = number
  })
}
