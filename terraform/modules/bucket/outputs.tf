output "id" {
  description = "Name of the bucket: known at plan, and used only once the bucket has its policy."
  value       = var.name
  depends_on  = [aws_s3_bucket_policy.this]
}
