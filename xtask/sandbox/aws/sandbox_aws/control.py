"""Client of the supervisor's control endpoint, which makes the real parts behind EKS and RDS.

Without `SANDBOX_CONTROL_URL` (this package run on its own) clusters and databases are only described,
as plain Moto does.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

#: Starting a replica copies a data directory; everything else answers at once.
TIMEOUT_SECONDS = 120

# A proxy named in the environment must never see what goes over loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlError(Exception):
    """The supervisor refused or failed; the text is one sentence for the person who deploys."""


def available() -> bool:
    return bool(os.environ.get("SANDBOX_CONTROL_URL"))


def create_cluster(name: str, region: str, issuer: str, version: str) -> dict[str, str]:
    """Returns `endpoint` (URL) and `certificate_authority` (PEM text in base64)."""
    body = {"name": name, "region": region, "oidc_issuer": issuer, "version": version}
    return _call("POST", "/clusters", body)


def delete_cluster(name: str) -> None:
    _call("DELETE", f"/clusters/{_quote(name)}")


def create_database(description: dict[str, Any]) -> dict[str, Any]:
    """Returns `address` and `port` of the server once it accepts connections."""
    return _call("POST", "/databases", description)


def set_database_password(identifier: str, password: str) -> None:
    _call("PUT", f"/databases/{_quote(identifier)}/password", {"password": password})


def delete_database(identifier: str) -> None:
    """Returns when the server has stopped."""
    _call("DELETE", f"/databases/{_quote(identifier)}")


def _quote(segment: str) -> str:
    return urllib.parse.quote(segment, safe="")


def _call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        os.environ["SANDBOX_CONTROL_URL"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        # `from None`: a traceback would show the request, and with it a password.
        raise ControlError(f"the sandbox could not {method} {path}: {_reason(error)}") from None
    except OSError as error:
        raise ControlError(f"the sandbox supervisor does not answer: {error}") from None
    return json.loads(text) if text else None


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text or str(error)
