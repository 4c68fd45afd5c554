"""Moto's web server: on a port of its own choice, quiet, gone with its parent, clear about its limits."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import Any
from urllib.parse import parse_qs

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from . import account, signatures
from .gate import Gate
from .patching import around
from .requests import refusal

HOST = "127.0.0.1"
PARENT_CHECK_SECONDS = 0.5


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


def serve(port: int) -> None:
    """Serves until the supervisor is gone. Says in one JSON object where, and with which key to call:
    in the file SANDBOX_READY_FILE when that is set, else on standard output."""
    # The access log would show presigned queries, which are credentials.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = Gate(DomainDispatcherApplication(create_backend_app), refusal.of)
    server = make_server(HOST, port, application, threaded=True)
    key, secret = account.furnish()
    started = {"port": server.port, "access_key_id": key, "secret_access_key": secret}
    _announce(json.dumps(started))
    supervisor = os.environ.get("SANDBOX_SUPERVISOR_PID")
    if supervisor:
        threading.Thread(target=_leave_with, args=(int(supervisor),), daemon=True).start()
    server.serve_forever()


def _announce(text: str) -> None:
    path = os.environ.get("SANDBOX_READY_FILE")
    if not path:
        print(text, flush=True)
        return
    # Complete and private from its first moment on: a reader polls for its existence.
    unfinished = path + ".unfinished"
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(unfinished, path)


def _leave_with(supervisor: int) -> None:
    """A killed supervisor can stop nobody, but its children get another parent then."""
    while os.getppid() == supervisor:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(0)
