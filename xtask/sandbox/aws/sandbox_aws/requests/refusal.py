"""Why AWS would refuse a request before it looks at anything else: its code and sentence."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from moto.core.model import ServiceModel

from . import constraints, operations, reading, rules

FORM = "application/x-www-form-urlencoded"
#: What services call a parameter that they do not take; the first that the service's model has counts.
CODES = (
    "ValidationException",
    "InvalidParameterException",
    "InvalidParameterValueException",
    "InvalidInput",
    "InvalidInputException",
    "WAFInvalidParameterException",
    "InvalidParameter",
)
#: Services that use another one than their protocol, by the documentation of their common errors.
BY_SERVICE = {"ec2": "InvalidParameterValue", "rds": "InvalidParameterValue", "s3": "InvalidArgument"}
OF_QUERIES = "ValidationError"
#: More than this says nothing new.
MOST = 5


class Refusal(NamedTuple):
    code: str
    message: str


def of(environ: dict[str, Any], service: str | None) -> Refusal | None:
    """Nothing for a request that AWS would look into."""
    headers = _headers(environ)
    path, query = environ.get("PATH_INFO", "/"), environ.get("QUERY_STRING", "")
    is_form = headers.get("content-type", "").startswith(FORM)
    body = _body(environ) if service != "s3" or "chunked" not in headers.get("x-amz-content-sha256", "") else b""
    form = parse_qsl(body.decode(errors="replace") if is_form else query, keep_blank_values=True)
    try:
        called = operations.find(service, environ["REQUEST_METHOD"], _raw(environ, path), query, headers, dict(form))
    except operations.Unmapped as error:
        return Refusal("UnknownOperationException", str(error))
    try:
        parameters, unknown = reading.parameters(
            called, environ["REQUEST_METHOD"], path, headers, form, b"" if is_form else body
        )
    except reading.Unreadable as error:
        return Refusal(_code(called.service), str(error))
    problems = [f"Unknown parameter: {name}" for name in unknown]
    shape = called.operation.input_shape
    if shape is not None:
        problems += constraints.broken(shape, parameters)
    problems += rules.broken(called.service.signing_name, called.operation.name, parameters)
    if not problems:
        return None
    counted = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
    return Refusal(_code(called.service), f"{called.operation.name}: {counted}{'; '.join(problems[:MOST])}")


def _code(service: ServiceModel) -> str:
    known = BY_SERVICE.get(service.service_name)
    if known or service.protocol == "query":
        return known or OF_QUERIES
    return next((code for code in CODES if code in service.shape_names), CODES[0])


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    found = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    return found | {"content-type": environ.get("CONTENT_TYPE", "")}


def _raw(environ: Mapping[str, Any], path: str) -> str:
    """As it was sent, because a label may hold an encoded slash."""
    return environ.get("RAW_URI", environ.get("REQUEST_URI", "")).partition("?")[0] or path


def _body(environ: dict[str, Any]) -> bytes:
    """The whole of it, and there again for who reads it next."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
