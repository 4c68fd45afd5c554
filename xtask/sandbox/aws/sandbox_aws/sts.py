"""STS: the presigned queries that EKS tokens consist of are checked before a caller is named."""

from __future__ import annotations

from typing import Any

from moto.iam.models import iam_backends
from moto.sts import responses

from . import signatures
from .patching import around

Response = responses.TokenResponse


@around(Response, "get_caller_identity")
def check_presigned_queries(original, self) -> Any:
    query = self.uri.split("?", 1)[1] if "?" in self.uri else ""
    if signatures.is_presigned(query):
        keys = iam_backends[self.current_account][self.partition].access_keys
        key = signatures.check(query, self.headers, lambda name: _secret(keys, name))
        # Moto looks for the caller's key in the Authorization header alone.
        self.headers = dict(self.headers) | {"Authorization": f"AWS4-HMAC-SHA256 Credential={key}/"}
    return original(self)


def _secret(keys: dict[str, Any], name: str) -> str | None:
    return keys[name].secret_access_key if name in keys else None
