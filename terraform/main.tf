module "encryption" {
  source = "./modules/encryption"

  name_prefix          = local.name_prefix
  partition            = local.partition
  region               = var.region
  account_id           = var.account_id
  deletion_window_days = var.deletion_protection ? 30 : 7
  deploy_role_arn      = local.deploy_role_arn

  depends_on = [terraform_data.guard]
}

module "network" {
  source = "./modules/network"

  name_prefix              = local.name_prefix
  partition                = local.partition
  region                   = var.region
  account_id               = var.account_id
  permissions_boundary_arn = local.permissions_boundary_arn
  cidr                     = var.network.cidr
  zones                    = var.network.zones
  nat_gateways             = var.network.nat_gateways
  interface_endpoints      = var.network.interface_endpoints
  flow_log_traffic         = var.network.flow_log_traffic
  log_retention_days       = var.log_retention_days
  log_kms_key_arn          = module.encryption.key_arns.operations
}

module "cluster" {
  source = "./modules/cluster"

  name                     = local.name_prefix
  partition                = local.partition
  permissions_boundary_arn = local.permissions_boundary_arn
  tags                     = local.tags
  kubernetes_version       = var.kubernetes_version
  subnet_ids               = module.network.node_subnet_ids
  vpc_id                   = module.network.vpc_id
  service_cidr             = var.cluster.service_cidr
  public_access_cidrs      = var.cluster.public_access_cidrs
  private_access_cidrs     = var.cluster.private_access_cidrs
  zonal_shift              = var.cluster.zonal_shift
  access                   = var.cluster.access
  nodes                    = var.nodes
  secrets_kms_key_arn      = module.encryption.key_arns.cluster
  log_retention_days       = var.log_retention_days
  log_kms_key_arn          = module.encryption.key_arns.operations
}

module "database" {
  source = "./modules/database"

  name_prefix              = local.name_prefix
  partition                = local.partition
  account_id               = var.account_id
  permissions_boundary_arn = local.permissions_boundary_arn
  postgres_version         = var.postgres_version
  database_name            = "supabase"
  master_username          = "supabase_master"
  password                 = var.database_password
  password_version         = var.database_password_version
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.database_subnet_ids
  client_security_group_id = module.cluster.node_security_group_id
  instance_class           = var.database.instance_class
  storage_gib              = var.database.storage_gib
  max_storage_gib          = var.database.max_storage_gib
  multi_az                 = var.database.multi_az
  replica                  = var.database.replica
  backup_retention_days    = var.database.backup_retention_days
  major_upgrade            = var.database.upgrade_to == var.postgres_version
  deletion_protection      = local.deletion_protection
  final_snapshot           = var.final_snapshot
  kms_key_arn              = module.encryption.key_arns.database
  log_retention_days       = var.log_retention_days
  log_kms_key_arn          = module.encryption.key_arns.operations
}

module "storage" {
  source = "./modules/storage"

  name_prefix             = local.name_prefix
  partition               = local.partition
  region                  = var.region
  account_id              = var.account_id
  kms_key_arn             = module.encryption.key_arns.storage
  force_destroy           = local.force_destroy
  noncurrent_version_days = var.storage.noncurrent_version_days
  cors_allowed_origins    = var.storage.cors_allowed_origins
  backup_expire_days      = var.storage.backup_expire_days
  access_logs             = var.access_logs
  log_retention_days      = var.log_retention_days
}

module "identity" {
  source = "./modules/identity"

  name_prefix              = local.name_prefix
  partition                = local.partition
  region                   = var.region
  account_id               = var.account_id
  permissions_boundary_arn = local.permissions_boundary_arn
  cluster_name             = module.cluster.name
  oidc                     = module.cluster.oidc
  vpc_id                   = module.network.vpc_id
  parameter_prefix         = local.parameter_prefix
  storage_bucket_arn       = module.storage.storage_bucket_arn
  backup_bucket_arn        = module.storage.backup_bucket_arn
  key_arns                 = module.encryption.key_arns
}

module "observability" {
  source = "./modules/observability"

  name_prefix              = local.name_prefix
  partition                = local.partition
  region                   = var.region
  account_id               = var.account_id
  permissions_boundary_arn = local.permissions_boundary_arn
  kms_key_arn              = module.encryption.key_arns.operations
  log_retention_days       = var.log_retention_days
  emails                   = var.alerts.emails
  alarms                   = var.alerts.alarms
  container_insights       = var.container_insights
  load_balancer            = var.alerts.load_balancer
  kubernetes_version       = var.kubernetes_version
  cluster_name             = module.cluster.name
  node_groups              = module.cluster.node_groups
  oidc                     = module.cluster.oidc
  database                 = module.database.capacity
}

module "cost" {
  source = "./modules/cost"
  count  = var.budget == null ? 0 : 1

  name_prefix           = local.name_prefix
  environment           = var.environment
  monthly_budget_usd    = var.budget.monthly_usd
  anomaly_threshold_usd = var.budget.anomaly_usd
  alerts_topic_arn      = module.observability.alerts_topic_arn
}

module "edge" {
  source = "./modules/edge"
  count  = var.firewall == null ? 0 : 1

  name_prefix            = local.name_prefix
  requests_per_5_minutes = var.firewall.requests_per_5_minutes
  log_retention_days     = var.log_retention_days
  log_kms_key_arn        = module.encryption.key_arns.operations
}

module "dns" {
  source = "./modules/dns"
  count  = var.domain == null ? 0 : 1

  name_prefix              = local.name_prefix
  partition                = local.partition
  permissions_boundary_arn = local.permissions_boundary_arn
  domain                   = var.domain
  hostname                 = local.hostname
  kubernetes_version       = var.kubernetes_version
  cluster_name             = module.cluster.name
  node_groups              = module.cluster.node_groups
  oidc                     = module.cluster.oidc
}

module "backup" {
  source = "./modules/backup"
  count  = var.backup == null ? 0 : 1

  name_prefix              = local.name_prefix
  partition                = local.partition
  account_id               = var.account_id
  permissions_boundary_arn = local.permissions_boundary_arn
  tags                     = local.tags
  kms_key_arn              = module.encryption.key_arns.operations
  retention_days           = var.backup.retention_days
  vault_lock               = var.backup.vault_lock
  copy_region              = var.backup.copy_region
  force_destroy            = local.force_destroy
  database_arn             = local.database_arn
  resource_arns            = [local.database_arn, module.storage.storage_bucket_arn]
}

locals {
  # From names, so that neither the backup plan nor a policy waits for the database.
  database_arn = "arn:${local.partition}:rds:${var.region}:${var.account_id}:db:${local.name_prefix}"
}
