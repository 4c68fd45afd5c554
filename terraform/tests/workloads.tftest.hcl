# Roles of service accounts: who may assume them, and what they may do.

mock_provider "aws" {}

variables {
  name_prefix              = "supabase-test"
  partition                = "aws"
  region                   = "eu-west-1"
  account_id               = "123456789012"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/supabase-test-boundary"
  cluster_name             = "supabase-test"
  vpc_id                   = "vpc-0123456789abcdef0"
  parameter_prefix         = "/test/supabase"
  storage_bucket_arn       = "arn:aws:s3:::storage"
  backup_bucket_arn        = "arn:aws:s3:::backup"
  key_arns = {
    secrets = "arn:aws:kms:eu-west-1:123456789012:key/secrets"
    storage = "arn:aws:kms:eu-west-1:123456789012:key/storage"
  }
  oidc = {
    provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/TEST"
    issuer       = "https://oidc.eks.eu-west-1.amazonaws.com/id/TEST"
  }
}

run "trust" {
  command = plan

  module {
    source = "./modules/service-account-role"
  }

  variables {
    name            = "supabase-test-storage"
    description     = "A test"
    namespace       = "supabase"
    service_account = "supabase-storage"
    policy          = "{}"
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/TEST" }
      Condition = { StringEquals = {
        "oidc.eks.eu-west-1.amazonaws.com/id/TEST:aud" = "sts.amazonaws.com"
        "oidc.eks.eu-west-1.amazonaws.com/id/TEST:sub" = "system:serviceaccount:supabase:supabase-storage"
      } }
    }]
    error_message = "Exactly one service account of exactly one cluster is trusted, for exactly one audience."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/supabase-test-boundary"
    error_message = "The role carries the boundary."
  }
}

run "long_name" {
  command = plan

  module {
    source = "./modules/service-account-role"
  }

  variables {
    name            = "supabase-an-environment-name-which-is-much-longer-than-iam-allows"
    description     = "A test"
    namespace       = "supabase"
    service_account = "supabase-storage"
  }

  expect_failures = [var.name]
}

run "workloads" {
  command = plan

  module {
    source = "./modules/identity"
  }

  # These are the service accounts that the charts render.
  assert {
    condition = output.service_accounts == {
      backup                   = "supabase:supabase-backup"
      cluster_autoscaler       = "kube-system:cluster-autoscaler"
      external_secrets         = "supabase:secrets-reader"
      load_balancer_controller = "kube-system:aws-load-balancer-controller"
      storage                  = "supabase:supabase-storage"
    }
    error_message = "Every workload has its own role and service account."
  }

  assert {
    condition = alltrue(flatten([
      for workload in local.workloads : [
        for statement in workload.statements : alltrue([
          for action in statement.Action : can(regex(":(Describe|Get|List)", action))
        ]) if contains(statement.Resource, "*")
      ]
    ]))
    error_message = "Nothing that writes may do so to any resource."
  }

  assert {
    condition = alltrue(flatten([
      for workload in local.workloads : [
        for statement in workload.statements : can(regex("^(ssm|s3)\\.eu-west-1\\.amazonaws\\.com$", statement.Condition.StringEquals["kms:ViaService"])) && statement.Resource != ["*"]
        if anytrue([for action in statement.Action : startswith(action, "kms:")])
      ]
    ]))
    error_message = "Keys are used only through the service whose data they encrypt."
  }

  assert {
    condition     = one([for statement in local.workloads.external_secrets.statements : statement.Resource if statement.Sid == "ReadParameters"]) == ["arn:aws:ssm:eu-west-1:123456789012:parameter/test/supabase/*"]
    error_message = "External Secrets reads the parameters of its own environment only."
  }

  assert {
    condition     = !contains(flatten([for statement in local.workloads.backup.statements : statement.Action]), "s3:DeleteObject")
    error_message = "A dump job cannot delete dumps."
  }

  assert {
    condition     = length(setsubtract(["s3:GetObjectTagging", "s3:PutObjectTagging"], flatten([for statement in local.workloads.storage.statements : statement.Action]))) == 0
    error_message = "Supabase Storage tags the objects of resumable uploads."
  }

  assert {
    condition     = one([for statement in local.workloads.cluster_autoscaler.statements : statement.Condition.StringEquals if statement.Sid == "Resize"]) == { "aws:ResourceTag/k8s.io/cluster-autoscaler/supabase-test" = "owned" }
    error_message = "The autoscaler resizes the groups of its own cluster only."
  }
}

run "load_balancer_controller" {
  command = plan

  module {
    source = "./modules/identity"
  }

  # What the controller of version 3.5 asks for, by its project's policy.
  assert {
    condition     = toset(flatten([for statement in local.load_balancer_controller_statements : statement.Action])) == toset(jsondecode(file("tests/load-balancer-controller-actions.json")))
    error_message = "The controller may do what its project documents, no more and no less."
  }

  assert {
    condition = alltrue([
      for sid in ["CreateLoadBalancer", "TagNew", "TagNewSecurityGroup"] :
      one([for statement in local.load_balancer_controller_statements : statement.Condition.StringEquals["aws:RequestTag/elbv2.k8s.aws/cluster"] if statement.Sid == sid]) == "supabase-test"
    ])
    error_message = "What it makes carries this cluster's name."
  }

  assert {
    condition = alltrue([
      for sid in ["Retag", "RetagSecurityGroup", "ChangeOwnLoadBalancer", "ChangeOwnSecurityGroup"] :
      one([for statement in local.load_balancer_controller_statements : statement.Condition.StringEquals["aws:ResourceTag/elbv2.k8s.aws/cluster"] if statement.Sid == sid]) == "supabase-test"
    ])
    error_message = "What it changes belongs to this cluster."
  }
}

# Listing is a right on the bucket, reading and writing one on its objects: mixed, one of the two never applies.
run "buckets" {
  command = plan

  module {
    source = "./modules/identity"
  }

  assert {
    condition = alltrue(flatten([
      for name, bucket in { storage = "arn:aws:s3:::storage", backup = "arn:aws:s3:::backup" } : [
        for statement in local.workloads[name].statements : alltrue([
          for action in statement.Action :
          statement.Resource == (can(regex("^s3:(ListBucket|ListBucketMultipartUploads|GetBucketLocation)$", action)) ? [bucket] : ["${bucket}/*"])
        ]) if anytrue([for action in statement.Action : startswith(action, "s3:")])
      ]
    ]))
    error_message = "Lists go to the bucket, everything else to its objects."
  }

  assert {
    condition     = alltrue([for name in ["storage", "backup"] : length([for statement in local.workloads[name].statements : statement if contains(statement.Action, "s3:ListBucket") || contains(statement.Action, "s3:PutObject")]) == 2])
    error_message = "Each workload has one statement for the bucket and one for its objects."
  }
}
