"""EKS clusters: a real endpoint, one issuer a cluster, and updates that merge like AWS does."""

from __future__ import annotations

import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.eks import models, urls

from .. import control
from ..patching import around, operation, routes
from .access import grant_creator
from .support import Response, cluster_of, finished_update, found, not_found


class Cluster(models.Cluster):
    """Adds what Moto's model leaves out; the attribute names are those of the API in snake case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.addons: dict[str, dict[str, Any]] = {}
        self.access_entries: dict[str, dict[str, Any]] = {}
        self.pod_identity_associations: dict[str, dict[str, Any]] = {}
        self.updates: dict[str, dict[str, Any]] = {}
        self.access_config: dict[str, Any] = {"authenticationMode": "CONFIG_MAP"}
        self.upgrade_policy = {"supportType": "EXTENDED"}
        self.zonal_shift_config = {"enabled": False}
        self.deletion_protection = False
        # Moto's issuer is one constant a process: the second environment's OIDC provider would clash.
        identifier = uuid.uuid5(uuid.NAMESPACE_DNS, self.arn).hex.upper()
        region = kwargs["region_name"]
        self.identity = {"oidc": {"issuer": f"https://oidc.eks.{region}.amazonaws.com/id/{identifier}"}}


models.Cluster = Cluster  # the backend constructs its clusters by this name


@around(models.EKSBackend, "create_cluster")
def start_the_kubernetes_api(original, self, *args: Any, **kwargs: Any) -> Cluster:
    """The endpoint and the CA that DescribeCluster returns are those of a server that answers."""
    cluster = original(self, *args, **kwargs)
    _complete_network(self, cluster)
    if control.available():
        issuer = cluster.identity["oidc"]["issuer"]
        try:
            answer = control.create_cluster(cluster.name, self.region_name, issuer, cluster.version)
        except control.ControlError as error:
            _forget(self, cluster)
            raise models.InvalidRequestException(message=str(error)) from None
        cluster.endpoint = answer["endpoint"]
        cluster.certificate_authority = {"data": answer["certificate_authority"]}
    return cluster


def _complete_network(backend: models.EKSBackend, cluster: Cluster) -> None:
    """EKS reports the VPC of the subnets and makes a security group; rules refer to that group."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    config = cluster.resources_vpc_config = dict(cluster.resources_vpc_config or {})
    config.setdefault("endpointPublicAccess", True)
    config.setdefault("endpointPrivateAccess", False)
    subnets = ec2.describe_subnets(subnet_ids=config.get("subnetIds") or None)
    config["vpcId"] = subnets[0].vpc_id
    group = ec2.create_security_group(
        name=f"eks-cluster-sg-{cluster.name}-{uuid.uuid4().int % 10**9}",
        description="EKS created security group applied to the control plane and to managed nodes.",
        vpc_id=config["vpcId"],
        tags={f"kubernetes.io/cluster/{cluster.name}": "owned"},
    )
    config["clusterSecurityGroupId"] = group.id


def _forget(backend: models.EKSBackend, cluster: Cluster) -> None:
    backend.clusters.pop(cluster.name, None)
    group = cluster.resources_vpc_config.get("clusterSecurityGroupId")
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    if group and ec2.get_security_group_from_id(group):
        ec2.delete_security_group(group_id=group)


@around(models.EKSBackend, "delete_cluster")
def stop_the_kubernetes_api(original, self, name: str) -> Cluster:
    cluster = original(self, name)
    _forget(self, cluster)
    if control.available():
        control.delete_cluster(name)
    return cluster


@around(Response, "create_cluster")
def keep_the_other_settings(original, self) -> ActionResult:
    """Moto drops accessConfig, upgradePolicy and zonalShiftConfig: the provider would set them for ever."""
    result = original(self)
    cluster = cluster_of(self)
    asked = self._get_param("accessConfig") or {}
    bootstrap = asked.get("bootstrapClusterCreatorAdminPermissions", True)
    cluster.access_config = {
        "authenticationMode": asked.get("authenticationMode", "CONFIG_MAP"),
        "bootstrapClusterCreatorAdminPermissions": bootstrap,
    }
    cluster.upgrade_policy = self._get_param("upgradePolicy") or cluster.upgrade_policy
    cluster.zonal_shift_config = self._get_param("zonalShiftConfig") or cluster.zonal_shift_config
    cluster.deletion_protection = bool(self._get_param("deletionProtection"))
    if bootstrap:
        grant_creator(self, cluster)
    return result


@around(Response, "delete_cluster")
def respect_deletion_protection(original, self) -> ActionResult:
    if cluster_of(self).deletion_protection:
        raise models.InvalidRequestException(
            message="Cannot delete cluster because deletion protection is enabled."
        )
    return original(self)


@operation(Response)
def update_cluster_config(self) -> ActionResult:
    """AWS merges resourcesVpcConfig and answers with an update; Moto replaces it and answers otherwise."""
    cluster = cluster_of(self)
    asked = self._get_param("resourcesVpcConfig") or {}
    config = dict(cluster.resources_vpc_config)
    config.update({key: value for key, value in asked.items() if value is not None})
    cluster.resources_vpc_config = config
    cluster.access_config.update(self._get_param("accessConfig") or {})
    cluster.logging = self._get_param("logging") or cluster.logging
    cluster.upgrade_policy = self._get_param("upgradePolicy") or cluster.upgrade_policy
    cluster.zonal_shift_config = self._get_param("zonalShiftConfig") or cluster.zonal_shift_config
    if self._get_param("deletionProtection") is not None:
        cluster.deletion_protection = self._get_param("deletionProtection")
    return finished_update(cluster, "ConfigUpdate")


@operation(Response)
def update_cluster_version(self) -> ActionResult:
    cluster = cluster_of(self)
    cluster.version = self._get_param("version")
    return finished_update(cluster, "VersionUpdate")


@operation(Response)
def describe_update(self) -> ActionResult:
    return ActionResult({"update": found(cluster_of(self).updates, self._get_param("updateId"), "update")})


@around(models.EKSBackend, "tag_resource")
def tag_any_resource(original, self, resource_arn: str, tags: dict[str, str]) -> None:
    """Moto tags clusters alone; a changed default tag reaches node groups, add-ons and entries too."""
    _tags_of(self, resource_arn).update(tags)


@around(models.EKSBackend, "untag_resource")
def untag_any_resource(original, self, resource_arn: str, tag_keys: list[str] | str) -> None:
    tags = _tags_of(self, resource_arn)
    for key in [tag_keys] if isinstance(tag_keys, str) else tag_keys:
        tags.pop(key, None)


@around(models.EKSBackend, "list_tags_for_resource")
def list_tags_of_any_resource(original, self, resource_arn: str) -> dict[str, str]:
    return _tags_of(self, resource_arn)


def _tags_of(backend: models.EKSBackend, arn: str) -> dict[str, str]:
    for cluster in backend.clusters.values():
        if cluster.arn == arn:
            return cluster.tags
        for nodegroup in cluster.nodegroups.values():
            if nodegroup.arn == arn:
                return nodegroup.tags
        described = (
            (cluster.addons, "addonArn"),
            (cluster.access_entries, "accessEntryArn"),
            (cluster.pod_identity_associations, "associationArn"),
        )
        for resources, key in described:
            for resource in resources.values():
                if resource[key] == arn:
                    return resource["tags"]
    raise not_found(f"No resource found for: {arn}")


routes(
    urls,
    Response,
    "clusters/(?P<name>[^/]+)/updates$",
    "clusters/(?P<name>[^/]+)/updates/(?P<updateId>[^/]+)$",
)
