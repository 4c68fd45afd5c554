"""S3: the check of a log bucket's policy understands every form of principal."""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from moto.s3 import models

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
