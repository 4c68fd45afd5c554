output "identifier" {
  description = "Identifier of the primary."
  value       = aws_db_instance.primary.identifier
}

output "arn" {
  description = "ARN of the primary."
  value       = aws_db_instance.primary.arn
}

output "status" {
  description = "Status of the primary, `available` when it serves."
  value       = aws_db_instance.primary.status
}

output "host" {
  description = "Host name of the primary."
  value       = aws_db_instance.primary.address
}

output "port" {
  description = "TCP port."
  value       = aws_db_instance.primary.port
}

output "database_name" {
  description = "Name of the database."
  value       = aws_db_instance.primary.db_name
}

output "master_username" {
  description = "Name of the master user."
  value       = aws_db_instance.primary.username
}

output "replica_host" {
  description = "Host name of the read replica, or null."
  value       = one(aws_db_instance.replica[*].address)
}

output "capacity" {
  description = "What alarms measure against: instances, memory of the primary, connections it allows, storage at creation."
  value = {
    instances    = local.instances
    memory_bytes = { for key, instance in local.instances : key => local.class_memory_gib[instance.instance_class] * pow(1024, 3) }
    # RDS sets max_connections to LEAST(memory in bytes / 9531392, 5000).
    max_connections = { for key, instance in local.instances : key => min(floor(local.class_memory_gib[instance.instance_class] * pow(1024, 3) / 9531392), 5000) }
    storage_bytes   = var.storage_gib * pow(1024, 3)
    burstable       = { for key, instance in local.instances : key => startswith(instance.instance_class, "db.t") }
  }
}
