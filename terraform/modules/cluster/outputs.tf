output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "version" {
  description = "Kubernetes minor version of the control plane."
  value       = aws_eks_cluster.this.version
}

output "status" {
  description = "Status of the control plane, ACTIVE when it serves."
  value       = aws_eks_cluster.this.status
}

output "endpoint" {
  description = "URL of the Kubernetes API."
  value       = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  description = "Certificate authority of the Kubernetes API, PEM in base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "oidc" {
  description = "Identity provider of the cluster's service accounts: ARN and issuer URL."
  value       = local.oidc
}

output "addon_versions" {
  description = "Versions of the add-ons, those that fit the Kubernetes minor."
  value       = local.versions
}

output "node_groups" {
  description = "Ids of the node groups by zone; add-ons that need a node to run on depend on this."
  value       = { for zone, group in aws_eks_node_group.this : zone => group.id }
}

output "node_security_group_id" {
  description = "Security group that nodes carry beside the cluster's own; it does not wait for the cluster."
  value       = aws_security_group.node.id
}
