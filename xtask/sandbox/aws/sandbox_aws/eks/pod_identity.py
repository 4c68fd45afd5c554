"""EKS Pod Identity associations, which Moto lacks: recorded, with no agent behind them."""

from __future__ import annotations

import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.eks import urls

from ..patching import operation, routes
from .support import Response, arn, cluster_of, found


@operation(Response)
def create_pod_identity_association(self) -> ActionResult:
    cluster = cluster_of(self)
    identifier = "a-" + uuid.uuid4().hex[:17]
    association = {
        "clusterName": cluster.name,
        "namespace": self._get_param("namespace"),
        "serviceAccount": self._get_param("serviceAccount"),
        "roleArn": self._get_param("roleArn"),
        "associationArn": arn(self, "podidentityassociation", cluster.name, identifier),
        "associationId": identifier,
        "tags": self._get_param("tags") or {},
        "createdAt": utcnow(),
        "modifiedAt": utcnow(),
    }
    cluster.pod_identity_associations[identifier] = association
    return ActionResult({"association": association})


@operation(Response)
def describe_pod_identity_association(self) -> ActionResult:
    return ActionResult({"association": _association(self)})


@operation(Response)
def list_pod_identity_associations(self) -> ActionResult:
    return ActionResult({"associations": list(cluster_of(self).pod_identity_associations.values())})


@operation(Response)
def update_pod_identity_association(self) -> ActionResult:
    association = _association(self)
    association["roleArn"] = self._get_param("roleArn") or association["roleArn"]
    association["modifiedAt"] = utcnow()
    return ActionResult({"association": association})


@operation(Response)
def delete_pod_identity_association(self) -> ActionResult:
    association = _association(self)
    del cluster_of(self).pod_identity_associations[association["associationId"]]
    return ActionResult({"association": association})


def _association(request: Response) -> dict[str, Any]:
    associations = cluster_of(request).pod_identity_associations
    return found(associations, request._get_param("associationId"), "association")


ASSOCIATIONS = "clusters/(?P<name>[^/]+)/pod-identity-associations"
routes(urls, Response, f"{ASSOCIATIONS}$", f"{ASSOCIATIONS}/(?P<associationId>[^/]+)$")
