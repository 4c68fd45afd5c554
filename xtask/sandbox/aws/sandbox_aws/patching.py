"""How the other modules change Moto: three small decorators, so that every patch reads alike."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any


def around(owner: type | types.ModuleType, name: str) -> Callable[[Callable], Callable]:
    """Replaces `owner.name`; the new function receives the original one as its first argument.

    An attribute that Moto no longer has is an error at start-up, not a patch that is silently lost.
    """
    original = getattr(owner, name)

    def decorate(function: Callable) -> Callable:
        @functools.wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        setattr(owner, name, replacement)
        return function

    return decorate


def operation(response: type) -> Callable[[Callable], Callable]:
    """Adds an API operation, named like its method in snake case, to one of Moto's response classes."""

    def decorate(function: Callable) -> Callable:
        setattr(response, function.__name__, function)
        return function

    return decorate


def routes(urls: types.ModuleType, response: type, *paths: str) -> None:
    """Makes Moto's web server pass these paths (regular expressions) of a service to `response`."""
    for path in paths:
        urls.url_paths["{0}/" + path] = response.dispatch
