"""Documented rules on parameters that AWS's service models do not hold, one row a rule, with its source."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

RDS = "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_"
IAM_QUOTAS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
S3_NAMES = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"
SSM_NAMES = "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"
ELB = "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_"
EC2 = "https://docs.aws.amazon.com/vpc/latest/userguide/"


class Rule(NamedTuple):
    service: str
    #: Operations, by the beginning of their names.
    operations: str
    #: Where the value stands, from the parameters on.
    member: str
    holds: Callable[[Any], bool]
    sentence: str
    source: str


def _text(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _rds_name(most: int, start: str = "[A-Za-z]") -> Callable[[Any], bool]:
    """Letters, digits and single hyphens, not the last one."""
    return lambda value: len(value) <= most and _text(f"{start}(?:-?[A-Za-z0-9])*")(value)


def _bucket(name: str) -> bool:
    """See the source; what is forbidden of prefixes and suffixes belongs to other kinds of buckets."""
    is_address = re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name) is not None
    reserved = name.startswith(("xn--", "sthree-", "amzn-s3-demo-")) or name.endswith(
        ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
    )
    return _text(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")(name) and ".." not in name and not is_address and not reserved


def _is_parameter_name(name: str) -> bool:
    first = name.lstrip("/").split("/")[0].lower()
    depth = name.strip("/").count("/") + 1
    return not first.startswith(("aws", "ssm")) and depth <= 15 and (name.startswith("/") or "/" not in name)


def _network(least: int, most: int) -> Callable[[Any], bool]:
    """An IPv4 block of one of these sizes, named by its first address."""

    def holds(block: str) -> bool:
        try:
            return least <= ipaddress.ip_network(block).prefixlen <= most
        except ValueError:
            return False

    return holds


def _balancer(name: str) -> bool:
    return _text(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")(name) and not name.startswith("internal-")


def _password(value: str) -> bool:
    return 8 <= len(value) <= 128 and not set(value) & set("/\"@ ") and value.isascii() and value.isprintable()


RULES = (
    Rule("rds", "CreateDBInstance", "DBInstanceIdentifier", _rds_name(63), "begins with a letter, holds letters, digits and single hyphens, at most 63, and does not end with a hyphen", RDS + "CreateDBInstance.html"),
    Rule("rds", "CreateDBInstance", "MasterUserPassword", _password, "holds 8 to 128 printable ASCII characters without /, \", @ and spaces", RDS + "CreateDBInstance.html"),
    Rule("rds", "ModifyDBInstance", "MasterUserPassword", _password, "holds 8 to 128 printable ASCII characters without /, \", @ and spaces", RDS + "ModifyDBInstance.html"),
    Rule("rds", "CreateDBInstance", "MasterUsername", _text("[A-Za-z][A-Za-z0-9_]{0,62}"), "begins with a letter and holds letters, digits and underscores, at most 63 for PostgreSQL", RDS + "CreateDBInstance.html"),
    Rule("rds", "CreateDBInstance", "DBName", _text("[A-Za-z][A-Za-z0-9_]{0,62}"), "begins with a letter and holds letters, digits and underscores, at most 63 for PostgreSQL", RDS + "CreateDBInstance.html"),
    Rule("rds", "CreateDBInstance", "BackupRetentionPeriod", lambda days: 0 <= days <= 35, "is from 0 to 35 days", RDS + "CreateDBInstance.html"),
    Rule("rds", "ModifyDBInstance", "BackupRetentionPeriod", lambda days: 0 <= days <= 35, "is from 0 to 35 days", RDS + "ModifyDBInstance.html"),
    Rule("rds", "CreateDBInstance", "MonitoringInterval", lambda seconds: seconds in (0, 1, 5, 10, 15, 30, 60), "is 0, 1, 5, 10, 15, 30 or 60 seconds", RDS + "CreateDBInstance.html"),
    Rule("rds", "CreateDBParameterGroup", "DBParameterGroupName", _rds_name(255), "begins with a letter, holds letters, digits and single hyphens, at most 255, and does not end with a hyphen", RDS + "CreateDBParameterGroup.html"),
    Rule("rds", "CreateDBSubnetGroup", "DBSubnetGroupName", lambda name: _text(r"[A-Za-z][A-Za-z0-9 ._-]{0,254}")(name) and name.lower() != "default", "begins with a letter, holds letters, digits, spaces, periods, underscores and hyphens, at most 255, and is not `default`", RDS + "CreateDBSubnetGroup.html"),
    Rule("rds", "DeleteDBInstance", "FinalDBSnapshotIdentifier", _rds_name(255), "begins with a letter, holds letters, digits and single hyphens, at most 255, and does not end with a hyphen", RDS + "DeleteDBInstance.html"),
    Rule("iam", "CreateRole", "RoleName", lambda name: len(name) <= 64, "has at most 64 characters", IAM_QUOTAS),
    Rule("iam", "CreatePolicy", "PolicyDocument", lambda text: len(re.sub(r"\s", "", text)) <= 6144, "has at most 6,144 characters without white space", IAM_QUOTAS),
    Rule("iam", "CreateRole", "AssumeRolePolicyDocument", lambda text: len(re.sub(r"\s", "", text)) <= 4096, "has at most 4,096 characters without white space (2,048 before an increase)", IAM_QUOTAS),
    Rule("iam", "PutRolePolicy", "PolicyDocument", lambda text: len(re.sub(r"\s", "", text)) <= 10240, "has at most 10,240 characters without white space", IAM_QUOTAS),
    Rule("s3", "CreateBucket", "Bucket", _bucket, "has 3 to 63 lower-case letters, digits, periods and hyphens, begins and ends with a letter or digit, and has no reserved beginning or end", S3_NAMES),
    Rule("ssm", "PutParameter", "Name", _is_parameter_name, "does not begin with aws or ssm, begins with / when it has levels, and has at most 15 of them", SSM_NAMES),
    Rule("elasticloadbalancing", "CreateLoadBalancer", "Name", _balancer, "has at most 32 letters, digits and hyphens, none at either end, and does not begin with internal-", ELB + "CreateLoadBalancer.html"),
    Rule("elasticloadbalancing", "CreateTargetGroup", "Name", _text(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?"), "has at most 32 letters, digits and hyphens, none at either end", ELB + "CreateTargetGroup.html"),
    Rule("ec2", "CreateVpc", "CidrBlock", _network(16, 28), "is an IPv4 block from /16 to /28, named by its first address", EC2 + "vpc-cidr-blocks.html"),
    Rule("ec2", "CreateSubnet", "CidrBlock", _network(16, 28), "is an IPv4 block from /16 to /28, named by its first address", EC2 + "subnet-sizing.html"),
    Rule("ec2", "CreateSecurityGroup", "GroupName", lambda name: len(name) <= 255 and not name.lower().startswith("sg-"), "has at most 255 characters and does not begin with sg-", EC2 + "creating-security-groups.html"),
    Rule("ec2", "CreateSecurityGroup", "GroupDescription", _text(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}"), "has at most 255 of the characters a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$*", EC2 + "creating-security-groups.html"),
)


def broken(service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each rule that the parameters do not keep; no value is shown."""
    for rule in RULES:
        value = parameters.get(rule.member)
        if rule.service != service or not operation.startswith(rule.operations) or value is None:
            continue
        if not rule.holds(value):
            yield f"The parameter {rule.member} is not a valid value: it {rule.sentence} ({rule.source})"
