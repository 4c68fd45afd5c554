locals {
  external_secrets_statements = [
    {
      Sid      = "ReadParameters"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
      Resource = ["${local.parameters_arn}/*"]
    },
    {
      Sid       = "DecryptParameters"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [var.key_arns.secrets]
      Condition = { StringEquals = { "kms:ViaService" = "ssm.${var.region}.amazonaws.com" } }
    },
  ]

  storage_statements = [
    {
      Sid      = "ListBucket"
      Effect   = "Allow"
      Action   = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"]
      Resource = [var.storage_bucket_arn]
    },
    {
      # Resumable uploads are marked with tags.
      Sid      = "UseObjects"
      Effect   = "Allow"
      Action   = concat(local.object_actions, ["s3:GetObjectTagging", "s3:PutObjectTagging"])
      Resource = ["${var.storage_bucket_arn}/*"]
    },
    {
      Sid       = "EncryptObjects"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [var.key_arns.storage]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
  ]

  # May write and read dumps, not delete them: expiry belongs to the bucket's lifecycle.
  backup_statements = [
    {
      Sid      = "ListBucket"
      Effect   = "Allow"
      Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
      Resource = [var.backup_bucket_arn]
    },
    {
      Sid      = "WriteDumps"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
      Resource = ["${var.backup_bucket_arn}/*"]
    },
    {
      Sid       = "EncryptDumps"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [var.key_arns.storage]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
  ]

  cluster_autoscaler_statements = [
    {
      # None of these can be narrowed to a resource.
      Sid    = "ReadCapacity"
      Effect = "Allow"
      Action = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeTags",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
      ]
      Resource = ["*"]
    },
    {
      Sid      = "ReadNodeGroups"
      Effect   = "Allow"
      Action   = ["eks:DescribeNodegroup"]
      Resource = ["${local.eks_arn}:nodegroup/${var.cluster_name}/*/*"]
    },
    {
      # EKS puts this tag on the group behind each managed node group.
      Sid       = "Resize"
      Effect    = "Allow"
      Action    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
      Resource  = ["arn:${var.partition}:autoscaling:${var.region}:${var.account_id}:autoScalingGroup:*:autoScalingGroupName/*"]
      Condition = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.cluster_name}" = "owned" } }
    },
  ]
}
