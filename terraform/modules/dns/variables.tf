variable "name_prefix" {
  description = "Prefix of every name, `supabase-<environment>`."
  type        = string
}

variable "partition" {
  description = "AWS partition of the ARNs, such as `aws`."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here, or null."
  type        = string
}

variable "domain" {
  description = "Name of the public hosted zone in Route 53."
  type        = string
}

variable "hostname" {
  description = "Public host name of the API, within the zone."
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
  description = "Ids of the node groups, which the add-on waits for."
  type        = map(string)
}

variable "oidc" {
  description = "Identity provider of the cluster: its ARN and its issuer URL."
  type = object({
    provider_arn = string
    issuer       = string
  })
}
