"""The fault that a person plants here with `sandbox fault`: services that throttle every call.

The supervisor sets them with `PUT /sandbox/faults`, the whole set at once; nothing survives a restart.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

PATH = "/sandbox/faults"
_lock = threading.Lock()
_throttled: set[str] = set()

XML_ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
    "<Message>Rate exceeded (sandbox fault)</Message></Error><RequestId>sandbox</RequestId></ErrorResponse>"
)
S3_ERROR = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate (sandbox fault).</Message></Error>"
JSON_ERROR = '{"__type": "ThrottlingException", "message": "Rate exceeded (sandbox fault)"}'


class FaultInjector:
    """WSGI middleware: answers for throttled services, and passes everything else on."""

    def __init__(self, application: Callable) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == PATH:
            return _set_faults(environ, start_response)
        service = _service(environ)
        with _lock:
            throttled = service in _throttled
        if throttled:
            return _throttle(service, environ, start_response)
        return self.application(environ, start_response)


def _service(environ: dict[str, Any]) -> str | None:
    """The service of a signed request, from its credential scope (key/date/region/service/aws4_request)."""
    _, _, credential = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
    scope = credential.split(",")[0].split("/")
    return scope[3] if len(scope) == 5 else None


def _throttle(service: str | None, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    if service == "s3":
        status, kind, body = "503 Slow Down", "application/xml", S3_ERROR
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        status, kind, body = "400 Bad Request", "text/xml", XML_ERROR
    else:
        status, kind, body = "400 Bad Request", "application/x-amz-json-1.1", JSON_ERROR
    start_response(status, [("Content-Type", kind), ("x-amzn-ErrorType", "ThrottlingException")])
    return [body.encode()]


def _set_faults(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    asked = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    with _lock:
        _throttled.clear()
        _throttled.update(asked["throttled_services"])
    start_response("204 No Content", [])
    return []
