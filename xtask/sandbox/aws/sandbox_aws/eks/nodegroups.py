"""EKS managed node groups: only what was asked for, so that the second plan replaces nothing."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.eks import models, urls

from ..patching import around, operation, routes
from .support import Response, cluster_of, finished_update, found


@around(models.Nodegroup, "__init__")
def invent_nothing(original, self, *args: Any, **kwargs: Any) -> None:
    """Moto invents an SSH key, whose absence in the configuration forces a replacement, and a disk size
    that belongs into the launch template when there is one."""
    original(self, *args, **kwargs)
    if not kwargs.get("remote_access"):
        self.remote_access = None
    if kwargs.get("launch_template") and not kwargs.get("disk_size"):
        self.disk_size = None
    if not kwargs.get("release_version"):
        self.release_version = f"{self.version}.0-20260101"


@around(Response, "create_nodegroup")
def keep_update_config(original, self) -> ActionResult:
    """Moto drops updateConfig and nodeRepairConfig on creation."""
    cluster = cluster_of(self)
    result = original(self)
    nodegroup = cluster.nodegroups[self._get_param("nodegroupName")]
    nodegroup.update_config = self._get_param("updateConfig") or {"maxUnavailable": 1}
    nodegroup.node_repair_config = self._get_param("nodeRepairConfig")
    if not self._get_param("version"):
        nodegroup.version = cluster.version
    return result


@around(Response, "update_nodegroup_config")
def answer_with_an_update(original, self) -> ActionResult:
    """The provider polls the update by its identifier, so that DescribeUpdate must know it."""
    original(self)
    return finished_update(cluster_of(self), "ConfigUpdate")


@operation(Response)
def update_nodegroup_version(self) -> ActionResult:
    cluster = cluster_of(self)
    nodegroup = found(cluster.nodegroups, self._get_param("nodegroupName"), "node group")
    nodegroup.version = self._get_param("version") or nodegroup.version
    nodegroup.release_version = self._get_param("releaseVersion") or nodegroup.release_version
    if self._get_param("launchTemplate"):
        nodegroup.launch_template.update(self._get_param("launchTemplate"))
    return finished_update(cluster, "VersionUpdate")


routes(urls, Response, "clusters/(?P<name>[^/]+)/node-groups/(?P<nodegroupName>[^/]+)/update-version$")
