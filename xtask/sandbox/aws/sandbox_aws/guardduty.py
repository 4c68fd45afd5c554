"""GuardDuty's runtime monitoring, as an organisation switches it on: it puts an endpoint and a security group into
the network of every cluster, and neither lets go of the network by itself."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.eks.models import EKSBackend

from .patching import around

MANAGED = {"GuardDutyManaged": "true"}


@around(EKSBackend, "create_cluster")
def watch_the_nodes(original, self, *args: Any, **kwargs: Any) -> Any:
    cluster = original(self, *args, **kwargs)
    ec2 = ec2_backends[self.account_id][self.region_name]
    network = cluster.resources_vpc_config
    group = ec2.create_security_group(
        name=f"GuardDutyManagedSecurityGroup-{network['vpcId']}",
        description=f"Associated with {network['vpcId']} and tagged as GuardDutyManaged",
        vpc_id=network["vpcId"],
        tags=dict(MANAGED),
    )
    ec2.create_vpc_endpoint(
        vpc_id=network["vpcId"],
        service_name=f"com.amazonaws.{self.region_name}.guardduty-data",
        endpoint_type="Interface",
        policy_document=None,
        route_table_ids=[],
        subnet_ids=list(network.get("subnetIds") or []),
        security_group_ids=[group.id],
        tags=dict(MANAGED),
    )
    return cluster


def _endpoints(ec2: EC2Backend) -> list[Any]:
    every = (each for each in ec2.vpc_end_points.values() if each.state != "deleted")
    return [each for each in every if each.service_name.endswith(".guardduty-data")]


@around(EC2Backend, "delete_subnet")
def keep_a_subnet_in_use(original, self, subnet_id: str) -> Any:
    if any(subnet_id in (endpoint.subnet_ids or []) for endpoint in _endpoints(self)):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return original(self, subnet_id)


@around(EC2Backend, "delete_security_group")
def keep_a_group_in_use(original, self, name: str | None = None, group_id: str | None = None) -> Any:
    if any(group_id in (endpoint.security_group_ids or []) for endpoint in _endpoints(self)):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return original(self, name=name, group_id=group_id)


@around(EC2Backend, "delete_vpc")
def keep_a_network_in_use(original, self, vpc_id: str) -> Any:
    groups = self.describe_security_groups(filters={"vpc-id": [vpc_id]})
    if any(group.name.startswith("GuardDutyManaged") for group in groups):
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return original(self, vpc_id)
