"""WSGI middleware before Moto: planted faults, requests that AWS does not take, and errors in the form
that each protocol expects.

The supervisor sets the faults with `PUT /sandbox/faults`, the whole set at once, and sees by `GET` that
the server answers; nothing survives a restart.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

FAULTS_PATH = "/sandbox/faults"
#: How much of a traceback tells where Moto failed.
FRAMES = 3
REQUEST_ID = "<RequestId>sandbox</RequestId>"

#: What the services answer that have words of their own for too many calls: clients send those again.
THROTTLED = {
    "s3": ("503 Slow Down", "SlowDown"),
    "ec2": ("503 Service Unavailable", "RequestLimitExceeded"),
}
#: Marks what AWS asks itself, such as who may log in to a cluster: that is no call of anybody's.
INSIDE = "HTTP_X_SANDBOX_INSIDE"

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
#: A request and its service, to the code and the sentence with which AWS refuses it, if it does.
RefusalOf = Callable[[dict[str, Any], str | None], tuple[str, str] | None]


class Gate:
    def __init__(self, application: Callable, refusal_of: RefusalOf) -> None:
        self.application = application
        self.refusal_of = refusal_of
        self.lock = threading.Lock()
        self.throttled: frozenset[str] = frozenset()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == FAULTS_PATH:
            return self._faults(environ, start_response)
        with self.lock:
            throttled = self.throttled
        service = _service(environ)
        if service in throttled and INSIDE not in environ:
            status, code = THROTTLED.get(service, ("400 Bad Request", "ThrottlingException"))
            return _refuse(environ, start_response, code, "Rate exceeded (sandbox fault)", status)
        try:
            refused = None if INSIDE in environ else self.refusal_of(environ, service)
            if refused:
                code, message = refused
                print(f"{service}: {message}", file=sys.stderr, flush=True)
                return _refuse(environ, start_response, code, message)
            return self.application(environ, start_response)
        except Exception as error:
            # As a server error it would be repeated for minutes, always with the same end.
            frames = "".join(traceback.format_tb(error.__traceback__)[-FRAMES:])
            request = f"{environ.get('REQUEST_METHOD')} {_service(environ)} {environ.get('PATH_INFO')}"
            print(f"{request}: {error!r}\n{frames}", file=sys.stderr, flush=True)
            return _refuse(environ, start_response, "SandboxFailure", f"the sandbox's AWS failed: {error!r}")

    def _faults(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "PUT":
            asked = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
            with self.lock:
                self.throttled = frozenset(asked["throttled_services"])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"throttled_services": sorted(self.throttled)}).encode()]


def _service(environ: dict[str, Any]) -> str | None:
    """The service of a signed request, from its credential scope (key/date/region/service/aws4_request).
    That of a presigned one stands in its query."""
    _, _, credential = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
    credential = credential or parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    scope = credential.split(",")[0].split("/")
    return scope[3] if len(scope) == 5 else None


def _refuse(
    environ: dict[str, Any],
    start_response: StartResponse,
    code: str,
    message: str,
    status: str = "400 Bad Request",
) -> Iterable[bytes]:
    service, error = _service(environ), _xml(code, message)
    if service in ("s3", "route53"):
        kind, body = "application/xml", error
    elif service == "ec2":
        kind, body = "text/xml", f"<Response><Errors>{error}</Errors>{REQUEST_ID}</Response>"
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        kind, body = "text/xml", f"<ErrorResponse>{error}{REQUEST_ID}</ErrorResponse>"
    else:
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    start_response(status, [("Content-Type", kind), ("x-amzn-ErrorType", code)])
    return [body.encode()]


def _xml(code: str, message: str) -> str:
    return f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
