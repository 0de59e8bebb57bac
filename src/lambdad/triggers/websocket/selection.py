"""Which route of a WebSocket API takes a message. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lambdad.triggers.http_api.model import Document

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"
_VARIABLE = re.compile(r"\$\{(request\.body\.[^}]+)\}|\$(request\.body\.[\w.-]+)")


def route_by_key(routes: Iterable[Document], key: str) -> Document | None:
    """Return the route of a key, or None."""
    return next((route for route in routes if route["RouteKey"] == key), None)


def route_of_message(routes: Iterable[Document], expression: str, text: str) -> Document | None:
    """Return the route that an API's expression selects for a message, or its default one."""
    known = list(routes)
    key = selected(expression, text)
    route = None
    # What only the connection's own beginning and end may have, no message selects.
    if key is not None and key not in (CONNECT, DISCONNECT):
        route = route_by_key(known, key)
    return route if route is not None else route_by_key(known, DEFAULT)


def selected(expression: str, text: str) -> str | None:
    """Return the value of `$request.body.action` and the like; None if the message has none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        text = _value(document, (found[1] or found[2]).removeprefix("request.body."))
        missing = missing or text is None
        return text or ""

    key = _VARIABLE.sub(value, expression)
    return None if missing else key


def _value(document: Any, path: str) -> str | None:
    found = document
    for step in path.split("."):
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int | float) else None
