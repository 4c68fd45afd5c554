"""Lists what an AWS account holds, service by service, as JSON: {"service call": [names]}.

Independent of the tags that `destroy` looks for: a resource that nobody tagged is found as well.
"""

import json
import sys

import boto3

REGION = sys.argv[1]
ACCOUNT = sys.argv[2]


def ask(service, call, path, name, region=REGION, keep=lambda item: True, **arguments):
    """The names of the items below `path` in every page of the answer."""
    client = boto3.client(service, region_name=region)
    if client.can_paginate(call):
        pages = client.get_paginator(call).paginate(**arguments)
    else:
        pages = [getattr(client, call)(**arguments)]
    items = [item for page in pages for item in page.get(path) or []]
    return sorted(item if name is None else item[name] for item in items if keep(item))


def key_is_kept(item):
    kms = boto3.client("kms", region_name=REGION)
    state = kms.describe_key(KeyId=item["KeyId"])["KeyMetadata"]["KeyState"]
    return state != "PendingDeletion"


def unreadable_snapshots():
    """Those whose key serves nobody: they cost money, and no data comes out of them."""
    rds, kms = boto3.client("rds", region_name=REGION), boto3.client("kms", region_name=REGION)
    snapshots = rds.describe_db_snapshots()["DBSnapshots"]
    keys = {one["DBSnapshotIdentifier"]: one["KmsKeyId"] for one in snapshots if one["Encrypted"]}
    state = {key: kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in keys.values()}
    return sorted(f"{name}: {state[key]}" for name, key in keys.items() if state[key] != "Enabled")


def records():
    route53 = boto3.client("route53", region_name=REGION)
    found = []
    for zone in route53.list_hosted_zones()["HostedZones"]:
        sets = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
        found += [f"{one['Name']} {one['Type']}" for one in sets]
    return sorted(found)


LISTS = [
    ("acm", "list_certificates", "CertificateSummaryList", "CertificateArn", {}),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName", {}),
    ("backup", "list_backup_plans", "BackupPlansList", "BackupPlanName", {}),
    ("backup", "list_backup_vaults", "BackupVaultList", "BackupVaultName", {}),
    ("budgets", "describe_budgets", "Budgets", "BudgetName", {"region": "us-east-1", "AccountId": ACCOUNT}),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", {}),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName", {}),
    ("ec2", "describe_addresses", "Addresses", "AllocationId", {}),
    ("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId", {}),
    ("ec2", "describe_instances", "Reservations", "ReservationId", {}),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId", {}),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName", {}),
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId", {"keep": lambda it: it["State"] != "deleted"}),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", {}),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId", {}),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId", {}),
    ("ec2", "describe_subnets", "Subnets", "SubnetId", {}),
    ("ec2", "describe_volumes", "Volumes", "VolumeId", {}),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", {"keep": lambda it: it["State"] != "deleted"}),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId", {}),
    ("eks", "list_clusters", "clusters", None, {}),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName", {}),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName", {}),
    ("events", "list_rules", "Rules", "Name", {}),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName", {}),
    ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn", {}),
    ("iam", "list_policies", "Policies", "PolicyName", {"Scope": "Local"}),
    ("iam", "list_roles", "Roles", "RoleName", {}),
    ("kms", "list_aliases", "Aliases", "AliasName", {}),
    ("kms", "list_keys", "Keys", "KeyId", {"keep": key_is_kept}),
    ("logs", "describe_log_groups", "logGroups", "logGroupName", {}),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier", {}),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName", {}),
    ("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier", {}),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", {}),
    ("rds", "describe_event_subscriptions", "EventSubscriptionsList", "CustSubscriptionId", {}),
    ("s3", "list_buckets", "Buckets", "Name", {}),
    ("sns", "list_topics", "Topics", "TopicArn", {}),
    ("sqs", "list_queues", "QueueUrls", None, {}),
    ("ssm", "describe_parameters", "Parameters", "Name", {"keep": lambda it: not it["Name"].startswith("/aws/")}),
    ("wafv2", "list_web_acls", "WebACLs", "Name", {"Scope": "REGIONAL"}),
]

found = {f"{service} {call}": ask(service, call, path, name, **more) for service, call, path, name, more in LISTS}
found["route53 records"] = records()
found["rds unreadable snapshots"] = unreadable_snapshots()
json.dump(found, sys.stdout, indent=1)
