"""Which operation of which service a request calls, from its signature, path and query.

Moto finds its methods in ways of its own and answers much that AWS has no operation for; here the
service models of botocore decide.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from moto.core.model import OperationModel, ServiceModel
from moto.core.utils import get_service_model

#: Services that botocore calls otherwise than signatures do.
MODEL_NAMES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
}
#: Operations that need no credentials, by the service that has them.
UNSIGNED = {"AssumeRoleWithWebIdentity": "sts", "AssumeRoleWithSAML": "sts"}
#: Labels of a path that hold ARNs, whose slashes clients leave as they are.
ARN_LABELS = ("resourcearn", "principalarn")
COPY_SOURCE = "x-amz-copy-source"


class Unmapped(Exception):
    """No operation has this form; the text is a sentence for the person who reads the answer."""


@dataclass(frozen=True)
class Called:
    service: ServiceModel
    operation: OperationModel
    #: What the labels of the path stand for.
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Route:
    """The form of one operation of a REST service."""

    path: re.Pattern[str]
    #: Of the query: what has to be there, with the value where one is wanted.
    literals: Mapping[str, str]
    required: frozenset[str]
    copies: bool
    operation: OperationModel

    def labels(self, path: str, query: Mapping[str, list[str]], copies: bool) -> dict[str, str] | None:
        """What the labels stand for when the request has this form."""
        matched = self.path.fullmatch(path)
        if not matched or self.copies != copies or not self.required <= query.keys():
            return None
        for name, value in self.literals.items():
            if name not in query or (value and value not in query[name]):
                return None
        return {name: unquote(value) for name, value in matched.groupdict().items()}

    @property
    def exactness(self) -> tuple[int, int, int]:
        """The more a form asks for, the better it fits what has it."""
        return len(self.literals), len(self.required), len(re.sub(r"\(.*?\)", "", self.path.pattern))


def find(service: str | None, method: str, path: str, query: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Called:
    """`service` is that of the signature, `form` the parameters of a query protocol.

    Raises `Unmapped` when AWS has no such operation.
    """
    action = form.get("Action")
    service = service or UNSIGNED.get(action or "")
    if service is None:
        raise Unmapped(f"{method} {path} is not signed, and no operation without credentials has this form.")
    model = _model(service)
    target = headers.get("x-amz-target", "").rpartition(".")[2]
    name = target or action
    if name:
        if name not in model.operation_names:
            raise Unmapped(f"{service} has no operation {name}.")
        return Called(model, model.operation_model(name), {})
    asked = parse_qs(query, keep_blank_values=True)
    for route in _routes(service):
        if route.operation.http["method"] == method:
            labels = route.labels(path, asked, COPY_SOURCE in headers)
            if labels is not None:
                return Called(model, route.operation, labels)
    raise Unmapped(f"{service} has no operation with the form {method} {path}{'?' if query else ''}{'&'.join(asked)}.")


@functools.cache
def _model(service: str) -> ServiceModel:
    try:
        return get_service_model(MODEL_NAMES.get(service, service))
    except Exception as error:
        raise Unmapped(f"The service {service} is not known: {error}") from None


@functools.cache
def _routes(service: str) -> tuple[Route, ...]:
    return tuple(sorted(_forms(_model(service)), key=lambda route: route.exactness, reverse=True))


def _forms(model: ServiceModel) -> Iterator[Route]:
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.deprecated:
            continue
        path, _, query = operation.http["requestUri"].partition("?")
        literals = dict(part.partition("=")[::2] for part in query.split("&") if part)
        members = operation.input_shape.members if operation.input_shape else {}
        needed = operation.input_shape.required_members if operation.input_shape else ()
        located = {name: members[name].serialization for name in needed}
        names = {"querystring": set(), "header": set()}
        for member, serialization in located.items():
            if serialization.get("location") in names:
                names[serialization["location"]].add(serialization.get("name", member))
        copies = COPY_SOURCE in {each.lower() for each in names["header"]}
        yield Route(_pattern(path), literals, frozenset(names["querystring"]), copies, operation)


def group(label: str) -> str:
    """The name of a label as that of a group of a regular expression."""
    return re.sub(r"\W", "", label)


def _pattern(path: str) -> re.Pattern[str]:
    def label(matched: re.Match[str]) -> str:
        name = matched[1].rstrip("+")
        wide = matched[1].endswith("+") or name.lower() in ARN_LABELS
        return f"(?P<{group(name)}>{'.+' if wide else '[^/]+'})"

    parts = re.split(r"(\{[^}]*\})", path.rstrip("/") or "")
    whole = "".join(re.sub(r"\{([^}]*)\}", label, part) if part.startswith("{") else re.escape(part) for part in parts)
    return re.compile(whole + "/?")
