# What deploying an environment takes, policy by policy (IAM allows 6,144 characters each).
# Names carry the environment; where AWS makes the name, the Environment tag decides. Only reading is allowed on `*`.
# No first deployment and no tear-down asks for what only changes a thing that is there (Modify…, Replace…, Revoke…,
# Update…, Untag…, RemoveTags…, new versions of a launch template): a later deployment does, once the code says something
# else. Any other right that neither of them asks for has its reason beside it.

locals {
  deploy_statements = {
    for name in keys(var.environments) : name => {
      network = [for statement in local.network_statements[name] : statement if !contains(["ChangeOwn", "TagOwn"], statement.Sid)]
      change  = [for statement in local.network_statements[name] : statement if contains(["ChangeOwn", "TagOwn"], statement.Sid)]
      cluster = local.cluster_statements[name]
      data    = local.data_statements[name]
      edge    = local.edge_statements[name]
      operate = local.operate_statements[name]
      role    = local.role_statements[name]
    }
  }

  account  = "${var.region}:${var.account_id}"
  tagged   = { for name in keys(var.environments) : name => { "aws:RequestTag/Environment" = name } }
  owned    = { for name in keys(var.environments) : name => { "aws:ResourceTag/Environment" = name } }
  untagged = { "aws:ResourceTag/Environment" = "true" }
  ec2_arn  = "arn:${local.partition}:ec2:${local.account}"
  iam_arn  = "arn:${local.partition}:iam::${var.account_id}"
  logs_arn = "arn:${local.partition}:logs:${local.account}:log-group"

  # Terraform looks at workspace default, which stays empty, while it connects.
  state_objects = { for name in keys(var.environments) : name => ["${local.state_arn}/env:/${name}/*", "${local.state_arn}/supabase.tfstate"] }

  ec2_arns = [
    for kind in [
      "elastic-ip", "instance", "internet-gateway", "launch-template", "natgateway", "network-interface", "route-table", "security-group", "security-group-rule", "subnet", "volume", "vpc", "vpc-endpoint", "vpc-flow-log",
    ] : "${local.ec2_arn}:${kind}/*"
  ]

  # None of these can be narrowed to a resource.
  network_reads = [
    for kind in [
      "AccountAttributes", "Addresses", "AddressesAttribute", "AvailabilityZones", "FlowLogs", "Images", "InstanceTypes", "Instances", "InternetGateways", "LaunchTemplateVersions", "LaunchTemplates", "ManagedPrefixLists", "NatGateways", "NetworkAcls",
      "NetworkInterfaces", "PrefixLists", "RouteTables", "SecurityGroupRules", "SecurityGroups", "Subnets", "Tags", "Volumes", "VpcEndpointServices", "VpcEndpoints", "Vpcs",
    ] : "ec2:Describe${kind}"
  ]

  network_statements = {
    for name in keys(var.environments) : name => [
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = local.network_reads
        Resource = ["*"]
      },
      {
        Sid      = "ReadAttributes"
        Effect   = "Allow"
        Action   = ["ec2:DescribeSecurityGroupReferences", "ec2:DescribeVpcAttribute"]
        Resource = local.ec2_arns
      },
      {
        Sid    = "MakeTagged"
        Effect = "Allow"
        Action = [
          "ec2:AllocateAddress",
          "ec2:AuthorizeSecurityGroupEgress",
          "ec2:AuthorizeSecurityGroupIngress",
          "ec2:CreateFlowLogs",
          "ec2:CreateInternetGateway",
          "ec2:CreateLaunchTemplate",
          "ec2:CreateNatGateway",
          "ec2:CreateRouteTable",
          "ec2:CreateSecurityGroup",
          "ec2:CreateSubnet",
          "ec2:CreateVpc",
          "ec2:CreateVpcEndpoint",
          "ec2:RunInstances",
        ]
        Resource  = local.ec2_arns
        Condition = { StringEquals = local.tagged[name] }
      },
      {
        Sid    = "ChangeOwn"
        Effect = "Allow"
        Action = [
          "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress",
          "ec2:CreateFlowLogs", "ec2:CreateLaunchTemplateVersion", "ec2:CreateNatGateway", "ec2:CreateRoute", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpcEndpoint",
          "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway", "ec2:DeleteLaunchTemplate", "ec2:DeleteLaunchTemplateVersions", "ec2:DeleteNatGateway", "ec2:DeleteNetworkInterface", "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
          "ec2:DetachInternetGateway", "ec2:DetachNetworkInterface", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifyLaunchTemplate", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint",
          "ec2:ReleaseAddress", "ec2:ReplaceRoute", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:RunInstances", "ec2:UpdateSecurityGroupRuleDescriptionsEgress", "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        ]
        Resource  = local.ec2_arns
        Condition = { StringEquals = local.owned[name] }
      },
      {
        Sid       = "TagNew"
        Effect    = "Allow"
        Action    = ["ec2:CreateTags"]
        Resource  = local.ec2_arns
        Condition = { StringEquals = local.tagged[name], Null = { "ec2:CreateAction" = "false" } }
      },
      {
        Sid       = "TagOwn"
        Effect    = "Allow"
        Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
        Resource  = local.ec2_arns
        Condition = { StringEquals = local.owned[name] }
      },
      {
        # The default group of a new VPC comes without tags, and is adopted to be emptied; so does the group that EKS
        # makes for a cluster, which is opened to private networks.
        Sid       = "AdoptUntaggedSecurityGroups"
        Effect    = "Allow"
        Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]
        Resource  = ["${local.ec2_arn}:security-group/*"]
        Condition = { Null = local.untagged }
      },
      {
        # A tear-down removes interfaces that nodes left behind; the network plugin tags them with its cluster.
        Sid       = "RemoveLeftInterfaces"
        Effect    = "Allow"
        Action    = ["ec2:DeleteNetworkInterface", "ec2:DetachNetworkInterface"]
        Resource  = ["${local.ec2_arn}:network-interface/*"]
        Condition = { StringEquals = { "aws:ResourceTag/cluster.k8s.amazonaws.com/name" = "supabase-${name}" } }
      },
      {
        # Images that a launch template may start.
        Sid      = "RunPublicImages"
        Effect   = "Allow"
        Action   = ["ec2:RunInstances"]
        Resource = ["arn:${local.partition}:ec2:${var.region}::image/*"]
      },
      {
        # EKS asks whether its caller could start a node: the node's network interface and the group that EKS made carry no
        # tag of ours. Launch template, subnet, instance and volume do, and confine it.
        Sid      = "RunInUntaggedNetwork"
        Effect   = "Allow"
        Action   = ["ec2:RunInstances"]
        Resource = ["${local.ec2_arn}:network-interface/*", "${local.ec2_arn}:security-group/*"]
      },
    ]
  }

  cluster_statements = {
    for name in keys(var.environments) : name => [
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["eks:DescribeAddonVersions", "tag:GetResources"]
        Resource = ["*"]
      },
      {
        # AWS names no resource for a cluster that is yet to be made; the tag confines it.
        Sid       = "MakeCluster"
        Effect    = "Allow"
        Action    = ["eks:CreateCluster"]
        Resource  = ["*"]
        Condition = { StringEquals = local.tagged[name] }
      },
      {
        Sid    = "ManageCluster"
        Effect = "Allow"
        Action = [
          "eks:AssociateAccessPolicy", "eks:CreateAccessEntry", "eks:CreateAddon", "eks:CreateNodegroup",
          "eks:DeleteAccessEntry", "eks:DeleteAddon", "eks:DeleteCluster", "eks:DeleteNodegroup",
          "eks:DescribeAccessEntry", "eks:DescribeAddon", "eks:DescribeCluster", "eks:DescribeNodegroup", "eks:DescribeUpdate", "eks:DisassociateAccessPolicy",
          "eks:ListAccessEntries", "eks:ListAddons", "eks:ListAssociatedAccessPolicies", "eks:ListNodegroups", "eks:ListTagsForResource",
          "eks:TagResource", "eks:UntagResource", "eks:UpdateAccessEntry", "eks:UpdateAddon", "eks:UpdateClusterConfig", "eks:UpdateClusterVersion", "eks:UpdateNodegroupConfig", "eks:UpdateNodegroupVersion",
        ]
        Resource = [for kind in ["cluster/supabase-${name}", "nodegroup/supabase-${name}/*/*", "addon/supabase-${name}/*/*", "access-entry/supabase-${name}/*"] : "arn:${local.partition}:eks:${local.account}:${kind}"]
      },
      {
        # What the load balancer controller left behind is looked for, and a tear-down waits until it is gone.
        Sid      = "FindLeftovers"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroups"]
        Resource = ["*"]
      },
      {
        # GuardDuty's runtime monitoring puts an endpoint and a group into the network by itself and leaves both there,
        # tagged as its own and not as ours; neither lets go of the network.
        Sid       = "RemoveGuardDutyEndpoint"
        Effect    = "Allow"
        Action    = ["ec2:DeleteSecurityGroup", "ec2:DeleteVpcEndpoints"]
        Resource  = ["${local.ec2_arn}:security-group/*", "${local.ec2_arn}:vpc-endpoint/*"]
        Condition = { StringEquals = { "aws:ResourceTag/GuardDutyManaged" = "true" } }
      },
    ]
  }

  data_statements = {
    for name in keys(var.environments) : name => [
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["kms:ListAliases", "rds:DescribeDBEngineVersions", "ssm:DescribeParameters"]
        Resource = ["*"]
      },
      {
        # RDS searches all of a kind even when one is asked for by name.
        Sid      = "ReadDatabases"
        Effect   = "Allow"
        Action   = ["rds:DescribeDBInstances", "rds:DescribeDBParameterGroups", "rds:DescribeDBSnapshots", "rds:DescribeDBSubnetGroups", "rds:DescribeEventSubscriptions"]
        Resource = [for kind in ["db", "es", "pg", "snapshot", "subgrp"] : "arn:${local.partition}:rds:${local.account}:${kind}:*"]
      },
      {
        # RebootDBInstance: Terraform restarts a replica, or a database from a snapshot, whose parameter group it changes.
        # ResetDBParameterGroup: a parameter is taken out of the code. CreateDBSnapshot and DeleteDBInstanceAutomatedBackup
        # are asked within DeleteDBInstance.
        Sid    = "ManageDatabase"
        Effect = "Allow"
        Action = [
          "rds:AddTagsToResource", "rds:CreateDBInstance", "rds:CreateDBInstanceReadReplica", "rds:CreateDBParameterGroup", "rds:CreateDBSnapshot", "rds:CreateDBSubnetGroup", "rds:CreateEventSubscription",
          "rds:DeleteDBInstance", "rds:DeleteDBInstanceAutomatedBackup", "rds:DeleteDBParameterGroup", "rds:DeleteDBSubnetGroup", "rds:DeleteEventSubscription", "rds:DescribeDBParameters",
          "rds:ListTagsForResource", "rds:ModifyDBInstance", "rds:ModifyDBParameterGroup", "rds:ModifyDBSubnetGroup", "rds:ModifyEventSubscription", "rds:RebootDBInstance", "rds:RemoveTagsFromResource", "rds:ResetDBParameterGroup",
        ]
        Resource = concat(
          [for kind in ["auto-backup:*", "cluster:supabase-${name}-*", "db:supabase-${name}", "db:supabase-${name}-*", "es:supabase-${name}", "pg:supabase-${name}-*", "snapshot:supabase-${name}-*", "subgrp:supabase-${name}"] : "arn:${local.partition}:rds:${local.account}:${kind}"],
          ["arn:${local.partition}:rds:${local.account}:og:default:*"],
        )
      },
      {
        Sid    = "ManageBuckets"
        Effect = "Allow"
        Action = [
          "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
          "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListBucketVersions", "s3:ListTagsForResource", "s3:PutBucketCORS", "s3:PutBucketLogging", "s3:PutBucketNotification", "s3:PutBucketOwnershipControls",
          "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:TagResource", "s3:UntagResource",
        ]
        Resource = ["arn:${local.partition}:s3:::supabase-${name}-*"]
      },
      {
        Sid      = "UseState"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:PutObject"]
        Resource = ["${local.state_arn}/env:/${name}/*"]
      },
      {
        Sid      = "ReadState"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = local.state_objects[name]
      },
      {
        # Every run sees that the bucket is there and in shape. No condition on the prefix: a question after the bucket
        # itself has none, and without this right S3 calls a key that does not exist yet forbidden, not absent.
        Sid      = "CheckStateBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:ListBucket"]
        Resource = [local.state_arn]
      },
      {
        # GetParameterHistory: a secret is stored again when a version of it can be read with another key.
        Sid    = "ManageParameters"
        Effect = "Allow"
        Action = [
          "ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:DeleteParameters", "ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:ListTagsForResource", "ssm:PutParameter", "ssm:RemoveTagsFromResource",
        ]
        Resource = ["arn:${local.partition}:ssm:${local.account}:parameter/${name}/supabase", "arn:${local.partition}:ssm:${local.account}:parameter/${name}/supabase/*"]
      },
      {
        Sid       = "MakeKeys"
        Effect    = "Allow"
        Action    = ["kms:CreateKey"]
        Resource  = ["*"]
        Condition = { StringEquals = local.tagged[name] }
      },
      {
        # A key that is made with tags is tagged before it has any; nobody else's key without them has to be ours.
        Sid       = "TagNewKeys"
        Effect    = "Allow"
        Action    = ["kms:TagResource"]
        Resource  = ["arn:${local.partition}:kms:${local.account}:key/*"]
        Condition = { StringEquals = local.tagged[name], Null = local.untagged }
      },
      {
        # Grants: RDS, EKS and AWS Backup make and give back their own in the name of whoever hands them a key.
        Sid    = "UseOwnKeys"
        Effect = "Allow"
        Action = [
          "kms:CreateAlias", "kms:CreateGrant", "kms:Decrypt", "kms:DeleteAlias", "kms:DescribeKey", "kms:EnableKeyRotation", "kms:Encrypt", "kms:GenerateDataKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus",
          "kms:ListGrants", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RetireGrant", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
        ]
        Resource  = ["arn:${local.partition}:kms:${local.account}:key/*"]
        Condition = { StringEquals = local.owned[name] }
      },
      {
        Sid      = "NameOwnKeys"
        Effect   = "Allow"
        Action   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
        Resource = ["arn:${local.partition}:kms:${local.account}:alias/supabase-${name}-*"]
      },
    ]
  }
}
