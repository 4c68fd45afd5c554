"""The parameters of a request, and what of it no parameter is.

Moto's parsers read what they know and drop the rest, so that a name that AWS refuses goes unseen; what
is left over is found here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from botocore.model import Shape
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import determine_request_protocol
from werkzeug.datastructures import Headers, MultiDict

from .operations import Called

#: Parameters of every query that are no operation's own.
ENVELOPE = frozenset(["Action", "Version"])
#: What the parameters of a presigned query begin with that sign it.
SIGNATURE = "X-Amz-"


class Unreadable(Exception):
    """The request has not the form of its protocol, or a value not that of its type."""


class _Asked(MultiDict):
    """Notes which keys a parser looked at."""

    def __init__(self, pairs: Any) -> None:
        super().__init__(pairs)
        self.seen: set[str] = set()

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        self.seen.add(key)
        return super().get(key, *args, **kwargs)


def parameters(
    called: Called, method: str, path: str, headers: Mapping[str, str], query: list[tuple[str, str]], body: bytes
) -> tuple[dict[str, Any], list[str]]:
    """The parameters by their names in the model, and the names of those that the model has not.

    `query` is that of the address, or the form of a query protocol. Raises `Unreadable`.
    """
    operation, shape = called.operation, called.operation.input_shape
    try:
        protocol = determine_request_protocol(called.service, headers.get("content-type"))
    except NotImplementedError as error:
        raise Unreadable(str(error)) from None
    values = _Asked(query)
    is_form = protocol in ("query", "ec2")
    if shape is None:
        return {}, sorted(values.keys() - ENVELOPE) if is_form else []
    if _is_object(shape):
        body = b""
    try:
        parsed = PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "method": method,
                "values": values,
                "headers": Headers(list(headers.items())),
                "body": body,
                "url_path": path,
                "url_params": _Labels(called.labels),
            }
        )
        unknown = _left_over(values) if is_form else list(_unknown(shape, protocol, body))
    except (ValueError, TypeError, AttributeError, RequestParserError) as error:
        raise Unreadable(f"{operation.name} cannot be read as {protocol}: {error}") from None
    return parsed, unknown


class _Labels(dict):
    """Labels under the names of the model, which may hold what no group's name can."""

    def get(self, name: str, default: str = "") -> str:
        return super().get("".join(filter(lambda each: each.isalnum() or each == "_", name)), default)


def _is_object(shape: Shape) -> bool:
    """Whether the body is the data of an object, of any size and form."""
    payload = shape.serialization.get("payload")
    return bool(payload) and shape.members[payload].type_name == "blob"


def _left_over(values: _Asked) -> list[str]:
    """An empty list is sent as its name alone."""
    return sorted(
        key
        for key in values.keys() - values.seen - ENVELOPE
        if values[key] != "" and not key.startswith(SIGNATURE)
    )


def _unknown(shape: Shape, protocol: str, body: bytes) -> Iterator[str]:
    payload = shape.serialization.get("payload")
    inner = shape.members[payload] if payload else shape
    if not body or inner.type_name in ("blob", "string"):
        return
    if protocol == "rest-xml":
        yield from _unknown_elements(inner, ElementTree.fromstring(body), "")
    else:
        yield from _unknown_members(inner, json.loads(body), "")


def _unknown_members(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict) and not shape.is_document_type:
        known = {each.serialization.get("name", name): each for name, each in shape.members.items()}
        for name, inner in value.items():
            if name in known:
                yield from _unknown_members(known[name], inner, f"{path}.{name}")
            elif inner is not None:
                yield f"{path}.{name}".removeprefix(".")
    elif shape.type_name == "list" and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unknown_members(shape.member, inner, f"{path}[{index}]")
    elif shape.type_name == "map" and isinstance(value, dict):
        for name, inner in value.items():
            yield from _unknown_members(shape.value, inner, f"{path}.{name}")


def _unknown_elements(shape: Shape, node: ElementTree.Element, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        known = dict(_element_names(shape))
        for inner in node:
            name = inner.tag.rpartition("}")[2]
            if name in known:
                yield from _unknown_elements(known[name], inner, f"{path}.{name}")
            else:
                yield f"{path}.{name}".removeprefix(".")
    elif shape.type_name == "list":
        for index, inner in enumerate(node):
            yield from _unknown_elements(shape.member, inner, f"{path}[{index}]")


def _element_names(shape: Shape) -> Iterator[tuple[str, Shape]]:
    for name, each in shape.members.items():
        if each.type_name == "list" and each.serialization.get("flattened"):
            yield each.member.serialization.get("name") or each.serialization.get("name", name), each.member
        else:
            yield each.serialization.get("name", name), each
