output "role_arns" {
  description = "Role ARNs by workload: external_secrets, storage, backup, load_balancer_controller, cluster_autoscaler."
  value       = { for workload, role in module.role : workload => role.arn }
}

output "service_accounts" {
  description = "The one service account that each role trusts, `namespace:name`."
  value       = { for key, workload in local.workloads : key => "${workload.namespace}:${workload.service_account}" }
}
