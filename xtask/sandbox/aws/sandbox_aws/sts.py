"""STS: presigned queries are checked, and a web identity must be trusted by the role that it asks for.

Moto lets anybody assume anything. Here the trust policy that Terraform wrote decides, so that a wrong
service account name, namespace or issuer shows in the sandbox.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import time
from typing import Any

from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends
from moto.sts import responses

from . import signatures
from .patching import around

Response = responses.TokenResponse
ACTION = "sts:AssumeRoleWithWebIdentity"


class AccessDenied(ServiceException):
    code = "AccessDenied"


class InvalidIdentityToken(ServiceException):
    code = "InvalidIdentityToken"


@around(Response, "get_caller_identity")
def check_presigned_queries(original, self) -> Any:
    query = _query_string(self)
    if signatures.is_presigned(query):
        keys = iam_backends[self.current_account][self.partition].access_keys
        key = signatures.check(query, self.headers, lambda name: _secret(keys, name))
        # Moto looks for the caller's key in the Authorization header alone.
        self.headers = dict(self.headers) | {"Authorization": f"Credential={key}/"}
    return original(self)


def _query_string(request: Response) -> str:
    return request.uri.split("?", 1)[1] if "?" in request.uri else ""


def _secret(keys: dict[str, Any], name: str) -> str | None:
    return keys[name].secret_access_key if name in keys else None


@around(Response, "assume_role_with_web_identity")
def ask_the_trust_policy(original, self) -> Any:
    role = _role(self, self._get_param("RoleArn"))
    claims = _claims(self._get_param("WebIdentityToken") or "")
    issuer = claims["iss"].removeprefix("https://")
    provider = f"arn:{self.partition}:iam::{self.current_account}:oidc-provider/{issuer}"
    providers = iam_backends[self.current_account][self.partition].open_id_providers
    if provider not in providers:
        raise InvalidIdentityToken(f"No OpenIDConnect provider found in your account for https://{issuer}")
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not set(audiences) & set(providers[provider].client_id_list):
        raise InvalidIdentityToken("Incorrect token audience")
    # Keys of conditions are matched without regard to case, and the issuer's path is upper case.
    values = {f"{issuer}:sub".lower(): [claims["sub"]], f"{issuer}:aud".lower(): audiences}
    document = role.assume_role_policy_document
    statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    if not any(_allows(statement, provider, values) for statement in statements):
        raise AccessDenied(f"Not authorized to perform {ACTION}: {claims['sub']} is not trusted by {role.arn}")
    return original(self)


def _role(request: Response, arn: str) -> Any:
    for role in iam_backends[request.current_account][request.partition].roles.values():
        if role.arn == arn:
            return role
    raise AccessDenied(f"Not authorized to perform {ACTION}: there is no role {arn}")


def _claims(token: str) -> dict[str, Any]:
    """The claims of a service account's token. Its signature is not checked: its maker is on this machine."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        claims["iss"], claims["sub"], claims["aud"]
    except (IndexError, KeyError, TypeError, ValueError):
        raise InvalidIdentityToken("The ID Token provided is not a valid JWT") from None
    if claims.get("exp", 0) < time.time():
        raise ServiceException("ExpiredTokenException", "Token expired")
    return claims


def _allows(statement: dict[str, Any], provider: str, values: dict[str, list[str]]) -> bool:
    principal = statement.get("Principal", {})
    federated = principal.get("Federated", []) if isinstance(principal, dict) else []
    return (
        statement.get("Effect") == "Allow"
        and ACTION in _listed(statement.get("Action", []))
        and provider in _listed(federated)
        and all(
            _holds(operator, key.lower(), _listed(wanted), values)
            for operator, tests in statement.get("Condition", {}).items()
            for key, wanted in tests.items()
        )
    )


def _holds(operator: str, key: str, wanted: list[str], values: dict[str, list[str]]) -> bool:
    if operator == "StringEquals":
        return any(value in wanted for value in values.get(key, []))
    if operator == "StringLike":
        return any(fnmatch.fnmatchcase(value, test) for value in values.get(key, []) for test in wanted)
    return False  # an operator that is not understood never lets anybody in


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
