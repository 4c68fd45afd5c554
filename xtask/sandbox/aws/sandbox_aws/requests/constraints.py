"""What AWS's service models say of values: required, enumerations, patterns, lengths and ranges."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import regex
from botocore.model import Shape

#: What patterns in Java's notation mean in that of the module `regex`.
JAVA = {
    r"\p{IsLetter}": r"\p{L}",
    r"\p{ASCII}": r"\x00-\x7F",
    # Halves of characters beyond the first 65,536, which Python does not take apart.
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
}
#: Values that nobody should read in an answer, besides those that the model calls sensitive.
SECRET = ("password", "secret", "token", "value", "policy")
LONGEST = 80


def broken(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """One sentence, in AWS's words, for each constraint that the value of this shape does not satisfy."""
    check = {"structure": _structure, "list": _list, "map": _map}.get(shape.type_name)
    if check:
        yield from check(shape, value, path)
    elif isinstance(value, str) and shape.type_name == "string":
        yield from _string(shape, value, path)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _number(shape, value, path)


def _structure(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _said(shape, value, path, "Member must be a structure")
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield _said(None, None, f"{path}.{name}", "Member must not be null")
    for name, inner in value.items():
        if inner is not None:
            yield from broken(shape.members[name], inner, f"{path}.{name}")


def _list(shape: Shape, value: Any, path: str) -> Iterator[str]:
    yield from _length(shape, value, path)
    for index, inner in enumerate(value, 1):
        yield from broken(shape.member, inner, f"{path}.{index}.member")


def _map(shape: Shape, value: Any, path: str) -> Iterator[str]:
    yield from _length(shape, value, path)
    for key, inner in value.items():
        yield from broken(shape.key, key, f"{path}.key")
        yield from broken(shape.value, inner, f"{path}.{key}")


def _string(shape: Shape, value: str, path: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield _said(shape, value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    yield from _length(shape, value, path)
    pattern = shape.metadata.get("pattern")
    # The whole of it, with or without anchors: Java's `matches`.
    if pattern and not _compiled(pattern).fullmatch(value):
        yield _said(shape, value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _length(shape: Shape, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        yield _said(shape, value, path, f"Member must have length greater than or equal to {least}")
    if most is not None and len(value) > most:
        yield _said(shape, value, path, f"Member must have length less than or equal to {most}")


def _number(shape: Shape, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield _said(shape, value, path, f"Member must have value greater than or equal to {least}")
    if most is not None and value > most:
        yield _said(shape, value, path, f"Member must have value less than or equal to {most}")


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    for java, python in JAVA.items():
        pattern = pattern.replace(java, python)
    return regex.compile(pattern)


def _said(shape: Shape | None, value: Any, path: str, constraint: str) -> str:
    path = path.removeprefix(".")
    hidden = shape is not None and (
        shape.metadata.get("sensitive") or any(word in path.lower() for word in SECRET)
    )
    text = "(not shown)" if hidden else str(value)
    shown = "null" if value is None else text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"
