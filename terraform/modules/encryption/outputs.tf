output "key_arns" {
  description = "ARNs of the keys by purpose: cluster, database, storage, secrets, operations."
  value       = { for purpose, key in aws_kms_key.this : purpose => key.arn }
}
