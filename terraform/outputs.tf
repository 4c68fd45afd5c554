output "environment" {
  description = "Name of the environment."
  value       = var.environment
}

output "region" {
  description = "AWS region."
  value       = var.region
}

output "account_id" {
  description = "AWS account id."
  value       = var.account_id
}

output "name_prefix" {
  description = "Prefix of every name."
  value       = local.name_prefix
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = module.network.vpc_id
}

output "public_subnet_cidrs" {
  description = "Address ranges of the public subnets by zone: an internet-facing load balancer sends from there."
  value       = module.network.public_subnet_cidrs
}

output "node_subnet_cidrs" {
  description = "Address ranges of the node subnets by zone: Pods, and an internal load balancer, send from there."
  value       = module.network.node_subnet_cidrs
}

output "database_subnet_cidrs" {
  description = "Address ranges of the database subnets by zone: network policies let clients through to these alone."
  value       = module.network.database_subnet_cidrs
}

output "nat_addresses" {
  description = "Public addresses that the cluster's traffic leaves from, by zone; for allow lists elsewhere."
  value       = module.network.nat_addresses
}

output "cluster_name" {
  description = "Name of the EKS cluster."
  value       = module.cluster.name
}

output "cluster_version" {
  description = "Kubernetes minor version of the control plane."
  value       = module.cluster.version
}

output "cluster_endpoint" {
  description = "URL of the Kubernetes API."
  value       = module.cluster.endpoint
}

output "cluster_certificate_authority" {
  description = "Certificate authority of the Kubernetes API, PEM in base64."
  value       = module.cluster.certificate_authority
}

output "cluster_oidc_issuer" {
  description = "URL of the issuer of the cluster's service account tokens."
  value       = module.cluster.oidc.issuer
}

output "database_identifier" {
  description = "Identifier of the primary database instance."
  value       = module.database.identifier
}

output "database_host" {
  description = "Host name of the primary."
  value       = module.database.host
}

output "database_port" {
  description = "TCP port of the database."
  value       = module.database.port
}

output "database_name" {
  description = "Name of the database."
  value       = module.database.database_name
}

output "database_master_username" {
  description = "Name of the master user."
  value       = module.database.master_username
}

output "database_replica_host" {
  description = "Host name of the read replica, or null."
  value       = module.database.replica_host
}

output "storage_bucket" {
  description = "Bucket of Supabase Storage."
  value       = module.storage.storage_bucket
}

output "backup_bucket" {
  description = "Bucket of the logical backups."
  value       = module.storage.backup_bucket
}

output "access_logs_bucket" {
  description = "Bucket that receives access logs; the load balancer writes below `alb/`. Null when switched off."
  value       = module.storage.access_logs_bucket
}

output "secrets_kms_key_arn" {
  description = "KMS key that encrypts SecureString parameters."
  value       = module.encryption.key_arns.secrets
}

output "parameter_prefix" {
  description = "Path below which all parameters lie."
  value       = local.parameter_prefix
}

output "service_account_roles" {
  description = "IAM roles of Kubernetes service accounts by workload."
  value       = module.identity.role_arns
}

output "hostname" {
  description = "Public host name of the API, or null without a domain."
  value       = local.hostname
}

output "certificate_arn" {
  description = "ARN of the certificate of the host name, or null without a domain."
  value       = one(module.dns[*].certificate_arn)
}

output "web_acl_arn" {
  description = "ARN of the web application firewall, or null when switched off."
  value       = one(module.edge[*].web_acl_arn)
}
