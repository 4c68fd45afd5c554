"""S3: bucket policies as AWS reads them, and notifications to EventBridge that are read back."""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3 import models, responses

from .patching import around

LOGGING_SERVICE = "logging.s3.amazonaws.com"


def _may_deliver_logs(target_bucket: models.FakeBucket, target_prefix: str | None) -> bool:
    """Moto's own check fails on `Principal = "*"`, the usual form of a statement that denies plain HTTP, and takes
    no wildcard but its own."""
    policy = json.loads(target_bucket.policy.decode()) if target_bucket.policy else {}
    log = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}log"
    return any(_lets_deliver(statement, log) for statement in _listed(policy.get("Statement")))


def _lets_deliver(statement: dict[str, Any], log: str) -> bool:
    principal = statement.get("Principal")
    services = _listed(principal.get("Service")) if isinstance(principal, dict) else []
    return (
        statement.get("Effect") == "Allow"
        and LOGGING_SERVICE in services
        and "s3:PutObject" in _listed(statement.get("Action"))
        and any(fnmatch.fnmatchcase(log, pattern) for pattern in _listed(statement.get("Resource")))
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


# A static method that is called with keywords: the wrapper of `patching` would pass it on unchanged.
models.FakeBucket._log_permissions_enabled_policy = staticmethod(_may_deliver_logs)


@around(models.FakeBucket, "get_permission")
def ignore_conditional_statements(original, self, action: str, resource: str) -> PermissionResult:
    """Moto evaluates a bucket's policy without its conditions: a statement that denies plain HTTP would
    deny everything. The sandbox stands in for TLS, and knows no other condition."""
    if self.policy is None:
        return original(self, action, resource)
    policy = json.loads(self.policy.decode())
    policy["Statement"] = [each for each in _listed(policy["Statement"]) if not each.get("Condition")]
    if not policy["Statement"]:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


@around(responses.S3Response, "serialized")
def describe_event_bridge(original, self, action_result: ActionResult) -> Any:
    """Moto stores that events go to EventBridge, and leaves it out of the description."""
    if self.data.get("Action") == "GetBucketNotificationConfiguration":
        stored = self.backend.get_bucket_notification_configuration(self.bucket_name)
        if stored is not None and stored.event_bridge is not None:
            action_result.result["EventBridgeConfiguration"] = {}
    return original(self, action_result)


@around(models.FakeBucket, "get_permission")
def permission_over_tls(original, self, action: str, resource: str) -> Any:
    """Moto ignores conditions, so a statement that denies requests without TLS would deny every request. The stand-in
    listens on the loopback interface only, where a request counts as encrypted."""
    if self.policy is None:
        return original(self, action, resource)
    policy = json.loads(self.policy.decode())
    held = self.policy
    policy["Statement"] = [one for one in _listed(policy.get("Statement")) if not _denies_plain_http(one)]
    self.policy = json.dumps(policy).encode()
    try:
        return original(self, action, resource)
    finally:
        self.policy = held


def _denies_plain_http(statement: dict[str, Any]) -> bool:
    wanted = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return statement.get("Effect") == "Deny" and str(wanted).lower() == "false"
