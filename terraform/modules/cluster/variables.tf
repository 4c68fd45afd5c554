variable "name" {
  description = "Name of the cluster, and prefix of what belongs to it."
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

variable "tags" {
  description = "Tags of instances and volumes, which the provider's default tags do not reach."
  type        = map(string)
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
}

variable "subnet_ids" {
  description = "Node subnets by zone."
  type        = map(string)
}

variable "vpc_id" {
  description = "VPC of the cluster."
  type        = string
}

variable "service_cidr" {
  description = "Address range of Kubernetes Services; it must not overlap the VPC."
  type        = string
}

variable "public_access_cidrs" {
  description = "Networks that reach the Kubernetes API from outside the VPC; none switches the public endpoint off."
  type        = list(string)
}

variable "private_access_cidrs" {
  description = "Private networks, connected to the VPC, that reach the Kubernetes API at its private endpoint."
  type        = list(string)
}

variable "zonal_shift" {
  description = "Whether EKS may shift traffic away from an impaired zone."
  type        = bool
}

variable "access" {
  description = "Who may use the Kubernetes API: IAM principal, EKS access policy and its namespaces (none: the whole cluster)."
  type = map(object({
    principal_arn = string
    policy        = string
    namespaces    = list(string)
  }))
}

variable "nodes" {
  description = "Shape of the node group of each zone."
  type = object({
    architecture     = string
    instance_types   = list(string)
    disk_gib         = number
    min_per_zone     = number
    desired_per_zone = number
    max_per_zone     = number
  })
}

variable "secrets_kms_key_arn" {
  description = "KMS key that encrypts Kubernetes Secrets in etcd."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the control plane's log is kept."
  type        = number
}

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the control plane's log."
  type        = string
}
