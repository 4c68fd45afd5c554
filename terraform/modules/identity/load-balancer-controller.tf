# What the controller's project documents for version 3.5 (docs/install/iam_policy.json), made narrower:
# its own policy only asks that its tag is present, so that two clusters of one account could touch each other's load
# balancers. Here the tag must carry this cluster's name, and everything stays in this account, region and VPC.

locals {
  elb_arn = "arn:${var.partition}:elasticloadbalancing:${var.region}:${var.account_id}"
  ec2_arn = "arn:${var.partition}:ec2:${var.region}:${var.account_id}"

  load_balancer_arns = ["${local.elb_arn}:loadbalancer/app/*/*", "${local.elb_arn}:loadbalancer/net/*/*"]
  target_group_arn   = "${local.elb_arn}:targetgroup/*/*"
  listener_arns      = ["${local.elb_arn}:listener/app/*/*/*", "${local.elb_arn}:listener/net/*/*/*"]
  rule_arns          = ["${local.elb_arn}:listener-rule/app/*/*/*/*", "${local.elb_arn}:listener-rule/net/*/*/*/*"]

  cluster_tag         = "elbv2.k8s.aws/cluster"
  owned_by_cluster    = { "aws:ResourceTag/${local.cluster_tag}" = var.cluster_name }
  made_for_cluster    = { "aws:RequestTag/${local.cluster_tag}" = var.cluster_name }
  tag_left_alone      = { "aws:RequestTag/${local.cluster_tag}" = "true" }
  vpc_arn             = "${local.ec2_arn}:vpc/${var.vpc_id}"
  security_groups_arn = "${local.ec2_arn}:security-group/*"

  load_balancer_controller_statements = [
    {
      Sid       = "ServiceLinkedRole"
      Effect    = "Allow"
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["arn:${var.partition}:iam::${var.account_id}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
    },
    {
      # Reading; none of these can be narrowed to a resource.
      Sid    = "Describe"
      Effect = "Allow"
      Action = [
        "acm:ListCertificates",
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeCoipPools",
        "ec2:DescribeInstances",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeIpamPools",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeVpcs",
        "elasticloadbalancing:DescribeCapacityReservation",
        "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListenerCertificates",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeSSLPolicies",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeTrustStores",
        "iam:ListServerCertificates",
        "shield:GetSubscriptionState",
      ]
      Resource = ["*"]
    },
    {
      Sid    = "DescribeNamed"
      Effect = "Allow"
      Action = ["acm:DescribeCertificate", "cognito-idp:DescribeUserPoolClient", "ec2:GetCoipPoolUsage", "ec2:GetSecurityGroupsForVpc", "iam:GetServerCertificate"]
      Resource = [
        "arn:${var.partition}:acm:${var.region}:${var.account_id}:certificate/*",
        "arn:${var.partition}:cognito-idp:${var.region}:${var.account_id}:userpool/*",
        "arn:${var.partition}:iam::${var.account_id}:server-certificate/*",
        "${local.ec2_arn}:coip-pool/*",
        local.vpc_arn,
      ]
    },
    {
      Sid    = "Firewall"
      Effect = "Allow"
      Action = [
        "shield:CreateProtection",
        "shield:DeleteProtection",
        "shield:DescribeProtection",
        "waf-regional:AssociateWebACL",
        "waf-regional:DisassociateWebACL",
        "waf-regional:GetWebACL",
        "waf-regional:GetWebACLForResource",
        "wafv2:AssociateWebACL",
        "wafv2:DisassociateWebACL",
        "wafv2:GetWebACL",
        "wafv2:GetWebACLForResource",
      ]
      Resource = concat(local.load_balancer_arns, [
        "arn:${var.partition}:shield::${var.account_id}:protection/*",
        "arn:${var.partition}:waf-regional:${var.region}:${var.account_id}:webacl/*",
        "arn:${var.partition}:wafv2:${var.region}:${var.account_id}:regional/webacl/*/*",
      ])
    },
    {
      # The rules on the cluster's own security group, which does not carry the controller's tag.
      Sid       = "OpenNodesToLoadBalancers"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
      Resource  = [local.security_groups_arn]
      Condition = { ArnEquals = { "ec2:Vpc" = local.vpc_arn } }
    },
    {
      Sid      = "CreateSecurityGroup"
      Effect   = "Allow"
      Action   = ["ec2:CreateSecurityGroup"]
      Resource = [local.security_groups_arn, local.vpc_arn]
    },
    {
      Sid       = "TagNewSecurityGroup"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = [local.security_groups_arn]
      Condition = { StringEquals = merge(local.made_for_cluster, { "ec2:CreateAction" = "CreateSecurityGroup" }) }
    },
    {
      Sid       = "RetagSecurityGroup"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = [local.security_groups_arn]
      Condition = { Null = local.tag_left_alone, StringEquals = local.owned_by_cluster }
    },
    {
      Sid       = "ChangeOwnSecurityGroup"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "ec2:DeleteSecurityGroup"]
      Resource  = [local.security_groups_arn]
      Condition = { StringEquals = local.owned_by_cluster }
    },
    {
      Sid       = "CreateLoadBalancer"
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
      Resource  = concat(local.load_balancer_arns, [local.target_group_arn])
      Condition = { StringEquals = local.made_for_cluster }
    },
    {
      Sid    = "ManageListeners"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:AddListenerCertificates",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateRule",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyRule",
        "elasticloadbalancing:RemoveListenerCertificates",
        "elasticloadbalancing:SetRulePriorities",
        "elasticloadbalancing:SetWebAcl",
      ]
      Resource = concat(local.load_balancer_arns, local.listener_arns, local.rule_arns)
    },
    {
      Sid      = "TagListeners"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      Resource = concat(local.listener_arns, local.rule_arns)
    },
    {
      Sid       = "Retag"
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      Resource  = concat(local.load_balancer_arns, [local.target_group_arn])
      Condition = { Null = local.tag_left_alone, StringEquals = local.owned_by_cluster }
    },
    {
      Sid      = "TagNew"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:AddTags"]
      Resource = concat(local.load_balancer_arns, [local.target_group_arn])
      Condition = { StringEquals = merge(local.made_for_cluster, {
        "elasticloadbalancing:CreateAction" = ["CreateTargetGroup", "CreateLoadBalancer"]
      }) }
    },
    {
      Sid    = "ChangeOwnLoadBalancer"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyCapacityReservation",
        "elasticloadbalancing:ModifyIpPools",
        "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
      ]
      Resource  = concat(local.load_balancer_arns, local.listener_arns, [local.target_group_arn])
      Condition = { StringEquals = local.owned_by_cluster }
    },
    {
      Sid      = "RegisterTargets"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
      Resource = [local.target_group_arn]
    },
  ]
}
