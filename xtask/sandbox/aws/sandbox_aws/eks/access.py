"""EKS access entries and their policies, which Moto lacks: who may reach a cluster's Kubernetes API.

The supervisor looks callers up here, so that a principal without an entry is refused as on EKS.
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import unquote

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.eks import models, urls
from moto.sts.models import sts_backends

from ..patching import operation, routes
from .support import Response, arn, cluster_of, found, in_use

#: Policies of an entry, kept beside what DescribeAccessEntry returns.
POLICIES = "_policies"
ADMIN_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def principal_of_session(caller: str) -> str:
    """The IAM principal behind a caller's ARN: entries name roles, callers are sessions of them."""
    resource = caller.rsplit(":", 1)[1]
    prefix = caller.rsplit(":", 1)[0].replace(":sts:", ":iam:")
    if resource.startswith("assumed-role/"):
        resource = "role/" + resource.split("/")[1]
    return f"{prefix}:{resource}"


def grant_creator(request: Response, cluster: models.Cluster) -> None:
    """What `bootstrapClusterCreatorAdminPermissions` does on EKS: the creator becomes administrator."""
    sts = sts_backends[request.current_account][request.partition]
    _, caller, _ = sts.get_caller_identity(request.get_access_key(), request.region)
    entry = _new_entry(request, cluster, principal_of_session(caller))
    _associate(entry, ADMIN_POLICY, {"type": "cluster", "namespaces": []})


def _new_entry(request: Response, cluster: models.Cluster, principal: str) -> dict[str, Any]:
    entry = {
        "clusterName": cluster.name,
        "principalArn": principal,
        "kubernetesGroups": [],
        "accessEntryArn": arn(
            request, "access-entry", cluster.name, principal.split(":")[-1], str(uuid.uuid4())
        ),
        "createdAt": utcnow(),
        "modifiedAt": utcnow(),
        "tags": {},
        "username": principal,
        "type": "STANDARD",
        POLICIES: {},
    }
    cluster.access_entries[principal] = entry
    return entry


def _associate(entry: dict[str, Any], policy: str, scope: dict[str, Any]) -> dict[str, Any]:
    now = utcnow()
    associated = {"policyArn": policy, "accessScope": scope, "associatedAt": now, "modifiedAt": now}
    entry[POLICIES][policy] = associated
    return associated


def _entry(request: Response) -> dict[str, Any]:
    principal = unquote(request._get_param("principalArn"))
    return found(cluster_of(request).access_entries, principal, "access entry")


@operation(Response)
def create_access_entry(self) -> ActionResult:
    cluster, principal = cluster_of(self), self._get_param("principalArn")
    if principal in cluster.access_entries:
        raise in_use(cluster, "The specified access entry resource is already in use on this cluster.")
    entry = _new_entry(self, cluster, principal)
    entry["kubernetesGroups"] = self._get_param("kubernetesGroups") or []
    entry["username"] = self._get_param("username") or principal
    entry["type"] = self._get_param("type") or "STANDARD"
    entry["tags"] = self._get_param("tags") or {}
    return ActionResult({"accessEntry": entry})


@operation(Response)
def describe_access_entry(self) -> ActionResult:
    return ActionResult({"accessEntry": _entry(self)})


@operation(Response)
def list_access_entries(self) -> ActionResult:
    return ActionResult({"accessEntries": list(cluster_of(self).access_entries)})


@operation(Response)
def update_access_entry(self) -> ActionResult:
    entry = _entry(self)
    for key in ("kubernetesGroups", "username"):
        if self._get_param(key) is not None:
            entry[key] = self._get_param(key)
    entry["modifiedAt"] = utcnow()
    return ActionResult({"accessEntry": entry})


@operation(Response)
def delete_access_entry(self) -> ActionResult:
    entry = _entry(self)
    del cluster_of(self).access_entries[entry["principalArn"]]
    return ActionResult({})


@operation(Response)
def associate_access_policy(self) -> ActionResult:
    entry = _entry(self)
    associated = _associate(entry, self._get_param("policyArn"), self._get_param("accessScope"))
    return ActionResult(_of_entry(entry) | {"associatedAccessPolicy": associated})


@operation(Response)
def list_associated_access_policies(self) -> ActionResult:
    entry = _entry(self)
    policies = list(entry[POLICIES].values())
    return ActionResult(_of_entry(entry) | {"associatedAccessPolicies": policies})


@operation(Response)
def disassociate_access_policy(self) -> ActionResult:
    _entry(self)[POLICIES].pop(unquote(self._get_param("policyArn")), None)
    return ActionResult({})


def _of_entry(entry: dict[str, Any]) -> dict[str, Any]:
    return {"clusterName": entry["clusterName"], "principalArn": entry["principalArn"]}


ENTRIES = "clusters/(?P<name>[^/]+)/access-entries"
routes(urls, Response, f"{ENTRIES}$", f"{ENTRIES}/(?P<principalArn>.+)$")
