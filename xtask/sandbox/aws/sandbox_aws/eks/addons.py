"""EKS add-ons, which Moto lacks: they are recorded and active at once, and run nothing."""

from __future__ import annotations

import json
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.eks import models, urls
from moto.route53.models import route53_backends

from ..patching import operation, routes
from .support import Response, arn, cluster_of, finished_update, found, in_use

SETTINGS = ("addonVersion", "serviceAccountRoleArn", "configurationValues")


@operation(Response)
def create_addon(self) -> ActionResult:
    cluster, name = cluster_of(self), self._get_param("addonName")
    if name in cluster.addons:
        raise in_use(cluster, "Addon already exists.")
    addon: dict[str, Any] = {
        "addonName": name,
        "clusterName": cluster.name,
        "status": "ACTIVE",
        "addonVersion": _default_version(cluster.version),
        "health": {"issues": []},
        "addonArn": arn(self, "addon", cluster.name, name, str(uuid.uuid4())),
        "createdAt": utcnow(),
        "modifiedAt": utcnow(),
        "tags": self._get_param("tags") or {},
    }
    _set(self, addon)
    cluster.addons[name] = addon
    return ActionResult({"addon": addon})


@operation(Response)
def describe_addon(self) -> ActionResult:
    return ActionResult({"addon": _addon(self)})


@operation(Response)
def list_addons(self) -> ActionResult:
    return ActionResult({"addons": list(cluster_of(self).addons)})


@operation(Response)
def update_addon(self) -> ActionResult:
    addon = _addon(self)
    _set(self, addon)
    addon["modifiedAt"] = utcnow()
    return finished_update(cluster_of(self), "AddonUpdate")


@operation(Response)
def delete_addon(self) -> ActionResult:
    addon = _addon(self)
    del cluster_of(self).addons[addon["addonName"]]
    return ActionResult({"addon": addon})


@operation(Response)
def describe_addon_versions(self) -> ActionResult:
    """Asked for by `data.aws_eks_addon_version`, which on plain Moto hangs for minutes."""
    kubernetes = self._get_param("kubernetesVersion")
    version = _default_version(kubernetes)
    fits = {"clusterVersion": kubernetes, "platformVersions": ["*"], "defaultVersion": True}
    versions = [{"addonVersion": version, "compatibilities": [fits]}]
    name = self._get_param("addonName")
    return ActionResult({"addons": [{"addonName": name, "type": "networking", "addonVersions": versions}]})


def _default_version(kubernetes: str) -> str:
    """The only one on offer, the same for each add-on, and another one for each minor of Kubernetes."""
    return f"v{kubernetes}.0-eksbuild.1"


def _addon(request: Response) -> dict[str, Any]:
    return found(cluster_of(request).addons, request._get_param("addonName"), "addon")


def _set(request: Response, addon: dict[str, Any]) -> None:
    if addon["addonName"] == "external-dns":
        _needs_a_zone(request, addon["clusterName"])
    for key in SETTINGS:
        if request._get_param(key) is not None:
            addon[key] = request._get_param(key)


def _needs_a_zone(request: Response, cluster: str) -> None:
    """The real external-dns starts without a zone, too, and never makes a record; nothing here looks for
    that record, so that the add-on is refused instead. Its rule: a zone's name ends with a filter."""
    filters = json.loads(request._get_param("configurationValues") or "{}").get("domainFilters") or []
    zones = [
        zone.name.rstrip(".") for zone in route53_backends[request.current_account][request.partition].zones.values()
    ]
    if filters and not any(f".{zone}".endswith(f".{each.strip('.')}") for zone in zones for each in filters):
        raise models.InvalidParameterException(
            clusterName=cluster,
            nodegroupName=None,
            fargateProfileName=None,
            addonName="external-dns",
            message=f"No hosted zone ends with one of domainFilters {filters}: it would make no record.",
        )


ADDONS = "clusters/(?P<name>[^/]+)/addons"
routes(
    urls,
    Response,
    f"{ADDONS}$",
    f"{ADDONS}/(?P<addonName>[^/]+)$",
    f"{ADDONS}/(?P<addonName>[^/]+)/update$",
    "addons/supported-versions$",
)
