"""What the EKS modules share: look-up of resources, their errors, ARNs and updates."""

from __future__ import annotations

import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.eks import models, responses

Response = responses.EKSResponse


def not_found(message: str) -> Exception:
    return models.ResourceNotFoundException(
        clusterName=None, nodegroupName=None, fargateProfileName=None, addonName=None, message=message
    )


def in_use(cluster: models.Cluster, message: str) -> Exception:
    return models.ResourceInUseException(
        clusterName=cluster.name, nodegroupName=None, addonName=None, message=message
    )


def cluster_of(request: Response) -> models.Cluster:
    name = request._get_param("clusterName") or request._get_param("name")
    return request.eks_backend.describe_cluster(name=name)


def found(resources: dict[str, Any], key: str, kind: str) -> Any:
    if key not in resources:
        raise not_found(f"No {kind} found for: {key}")
    return resources[key]


def arn(request: Response, kind: str, *path: str) -> str:
    return f"arn:{request.partition}:eks:{request.region}:{request.current_account}:{kind}/" + "/".join(path)


def finished_update(cluster: models.Cluster, kind: str) -> ActionResult:
    """Everything changes at once here, so an update is born successful; the provider reads it once."""
    update = {
        "id": str(uuid.uuid4()),
        "status": "Successful",
        "type": kind,
        "params": [],
        "createdAt": utcnow(),
        "errors": [],
    }
    cluster.updates[update["id"]] = update
    return ActionResult({"update": update})
