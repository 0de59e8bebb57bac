"""Parameters mapped from requests to integrations, and from their answers to responses. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.triggers.json_paths import BadPath, value_at
from lambdad.triggers.rest_api.calls import Call

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")


@dataclass(slots=True)
class Outgoing:
    """Parameters of an integration's request. Mutable: templates may override them."""

    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, list[str]] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)

    def override(self, given: Mapping[str, Mapping[str, Any]]) -> None:
        """Set what a template set in `$context.requestOverride`."""
        for name, value in given["header"].items():
            for other in [key for key in self.headers if key.lower() == str(name).lower()]:
                del self.headers[other]
            self.headers[str(name)] = _text(value)
        for name, value in given["querystring"].items():
            values = value if isinstance(value, list) else [value]
            self.query[str(name)] = [_text(each) for each in values]
        for name, value in given["path"].items():
            self.path[str(name)] = _text(value)


def with_stage_variables(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with `${stageVariables.x}` replaced; unknown ones are empty."""
    if "${" not in text:
        return text
    return _STAGE_VARIABLE.sub(lambda found: variables.get(found[1], ""), text)


def mapped(mapping: Mapping[str, Any], call: Call) -> Outgoing:
    """Return what `requestParameters` of an integration make of a request."""
    outgoing = Outgoing()
    for target, source in mapping.items():
        values = _request_values(str(source), call)
        if not values:
            continue
        kind, _, name = target.removeprefix("integration.request.").partition(".")
        if kind == "header":
            outgoing.headers[name] = ",".join(values)
        elif kind == "querystring":
            outgoing.query[name] = values
        elif kind == "path":
            outgoing.path[name] = values[-1]
    return outgoing


def request_value(source: str, call: Call) -> str | None:
    """Return what a mapping's source is in a request; None where it is missing."""
    values = _request_values(source, call)
    return values[-1] if values else None


def _request_values(source: str, call: Call) -> list[str]:
    if source.startswith("method.request."):
        kind, _, name = source.removeprefix("method.request.").partition(".")
        return _method_values(kind, name, call)
    return _common_values(source, call)


def _method_values(kind: str, name: str, call: Call) -> list[str]:
    if kind == "header":
        value = call.header(name)
        return [] if value is None else [value]
    if kind == "multivalueheader":
        return next((all_ for key, all_ in call.headers.items() if key.lower() == name.lower()), [])
    if kind == "querystring":
        return [call.last_query[name]] if name in call.last_query else []
    if kind == "multivaluequerystring":
        return call.query.get(name, [])
    if kind == "path":
        return [call.path_parameters[name]] if name in call.path_parameters else []
    return _body_values(kind, name, call.request.body) if kind.startswith("body") else []


def _common_values(source: str, call: Call) -> list[str]:
    if source.startswith("'") and source.endswith("'") and len(source) > 1:
        return [source[1:-1]]
    root, _, name = source.partition(".")
    if root == "stageVariables":
        return [call.stage_variables[name]] if name in call.stage_variables else []
    if root == "context":
        value: Any = call.context()
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return [] if value is None else [_text(value)]
    return []


def _body_values(kind: str, path: str, body: bytes) -> list[str]:
    """Return the body, or what a JSONPath finds in it; `kind` is `body`, perhaps with an index."""
    if kind == "body" and not path:
        return [body.decode("utf-8", "replace")]
    try:
        found = value_at(json.loads(body), f"${kind.removeprefix('body')}{path and '.'}{path}")
    except (BadPath, ValueError, RecursionError):
        return []
    return [] if found is None else [_text(found)]


def response_headers(
    mapping: Mapping[str, Any],
    call: Call,
    *,
    header: Callable[[str], list[str]],
    body: bytes,
) -> dict[str, str]:
    """Return the headers that `responseParameters` of an integration response make.

    `header` finds all values of a header of the integration's answer, `body` is the answer's.
    """
    headers: dict[str, str] = {}
    for target, source in mapping.items():
        name = target.removeprefix("method.response.header.")
        text = str(source)
        if not text.startswith("integration.response."):
            values = _common_values(text, call)
        else:
            kind, _, key = text.removeprefix("integration.response.").partition(".")
            if kind in ("header", "multivalueheader"):
                values = header(key) if kind != "header" else header(key)[-1:]
            else:
                values = _body_values(kind, key, body)
        if values:
            headers[name.lower()] = ",".join(values)
    return headers


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
