"""The index of tags: it goes on listing what was deleted, as that of AWS does for hours, and parameter groups."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend
from moto.resourcegroupstaggingapi import models

from .patching import around

#: What was deleted, as the index shows it, by account and region.
_deleted: dict[tuple[str, str], list[dict[str, Any]]] = {}


def _listed(backend: EC2Backend, kind: str, identifier: str) -> dict[str, Any]:
    tags = backend.describe_tags(filters={"resource-id": [identifier]})
    arn = f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:{kind}/{identifier}"
    return {"ResourceARN": arn, "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in tags]}


def _remember(backend: EC2Backend, entry: dict[str, Any]) -> None:
    if entry["Tags"]:
        _deleted.setdefault((backend.account_id, backend.region_name), []).append(entry)


@around(EC2Backend, "delete_subnet")
def remember_a_subnet(original, self, subnet_id: str) -> Any:
    entry = _listed(self, "subnet", subnet_id)
    deleted = original(self, subnet_id)
    _remember(self, entry)
    return deleted


@around(EC2Backend, "delete_volume")
def remember_a_volume(original, self, volume_id: str) -> Any:
    entry = _listed(self, "volume", volume_id)
    deleted = original(self, volume_id)
    _remember(self, entry)
    return deleted


@around(models.ResourceGroupsTaggingAPIBackend, "get_resources")
def list_what_moto_leaves_out(original, self, *args: Any, **kwargs: Any) -> tuple[str | None, list[dict[str, Any]]]:
    token, found = original(self, *args, **kwargs)
    if token is None and not kwargs.get("resource_type_filters"):
        filters = kwargs.get("tag_filters") or []
        groups = self.rds_backend.db_parameter_groups.values()
        more = [{"ResourceARN": group.arn, "Tags": group.get_tags()} for group in groups]
        more += _deleted.get((self.account_id, self.region_name), [])
        found = found + [each for each in more if all(_matches(each, asked) for asked in filters)]
    return token, found


def _matches(resource: dict[str, Any], asked: dict[str, Any]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
    values = asked.get("Values")
    return asked["Key"] in tags and (not values or tags[asked["Key"]] in values)
