output "arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn

  # Whoever starts a workload by this ARN needs the rights to be there already.
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy_attachment.this]
}
