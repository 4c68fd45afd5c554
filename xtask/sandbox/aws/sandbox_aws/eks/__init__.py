"""EKS: Moto knows clusters, node groups and Fargate profiles; add-ons, access and updates are here."""

from . import access, addons, clusters, nodegroups, pod_identity

__all__ = ["access", "addons", "clusters", "nodegroups", "pod_identity"]
