"""Moto's web server: on a port of its own choice, quiet, gone with its parent, clear about its limits."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import Any
from urllib.parse import parse_qs

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from . import signatures
from .faults import FaultInjector
from .patching import around

HOST = "127.0.0.1"
#: AWS's documentation account, which Moto answers with.
ACCOUNT, PARTITION = "123456789012", "aws"
#: Whose access key the sandbox hands out.
USER = "sandbox"


@around(DomainDispatcherApplication, "infer_service_region_host")
def route_presigned_queries(original, self, environ: dict[str, Any], path: str) -> str | None:
    """Moto knows a service by the Authorization header or the body; a presigned GET has neither."""
    query = environ.get("QUERY_STRING", "")
    if signatures.is_presigned(query) and not environ.get("HTTP_AUTHORIZATION"):
        scope = parse_qs(query).get("X-Amz-Credential", [""])[0].split("/")
        if len(scope) == 5 and scope[3] == "sts":
            return f"sts.{scope[2]}.amazonaws.com"
    return original(self, environ, path)


@around(BaseResponse, "call_action")
def refuse_what_is_not_simulated(original, self) -> Any:
    """Moto fails with a server error, which the provider repeats for minutes without a word."""
    action = self._get_action()
    if action and camelcase_to_underscores(action) not in method_names_from_class(self.__class__):
        message = f"{self.service_name}:{action} is not simulated by the sandbox."
        print(message, file=sys.stderr, flush=True)
        status, headers, body = self.serialized(ActionResult(ServiceException("NotImplemented", message)))
        return int(status), {**headers, "status": str(status)}, body
    return original(self)


def make_access_key() -> tuple[str, str]:
    """A real key of a real IAM user, so that callers have an identity that access entries can name."""
    iam = iam_backends[ACCOUNT][PARTITION]
    iam.create_user(region_name="us-east-1", user_name=USER)
    key = iam.create_access_key(USER)
    return key.access_key_id, key.secret_access_key


def serve(port: int) -> None:
    """Serves until standard input ends. Says in one JSON line where, and with which key to call."""
    # The access log would show presigned queries, which are credentials.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # An account whose requests are not to be checked against IAM policies, as Moto's default is.
    application = FaultInjector(DomainDispatcherApplication(create_backend_app))
    server = make_server(HOST, port, application, threaded=True)
    key, secret = make_access_key()
    started = {"port": server.port, "access_key_id": key, "secret_access_key": secret}
    print(json.dumps(started), flush=True)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    server.serve_forever()


def _leave_with_parent() -> None:
    """The supervisor holds the other end of standard input: it ends however the supervisor ended."""
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)
