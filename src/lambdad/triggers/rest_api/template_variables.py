"""What mapping templates may name: `$input`, `$context`, `$stageVariables`, `$util`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from lambdad.triggers.json_paths import BadPath, value_at
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.vtl.bounds import Budget, TemplateFailed
from lambdad.triggers.vtl.templates import render
from lambdad.triggers.vtl.values import json_of, of_json, parse_json, text_of

_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        '"': '\\"',
        "'": "\\'",
        "/": "\\/",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\f": "\\f",
    }
)


class BodyUnreadable(Exception):
    """A template asks for parts of a body that is no JSON."""


@dataclass(eq=False, slots=True)
class Overrides:
    """What a template sets beside its output. Mutable: `$context` holds its maps.

    Attributes:
        request: `header`, `path` and `querystring` of the integration's request.
        response: `header` and `status` of the answer.
    """

    request: dict[str, Any] = field(
        default_factory=lambda: {"header": {}, "path": {}, "querystring": {}}
    )
    response: dict[str, Any] = field(default_factory=lambda: {"header": {}})


def rendered(
    template: str,
    call: Call,
    body: str,
    *,
    overrides: Overrides | None = None,
    error: Mapping[str, Any] | None = None,
) -> str:
    """Return what a mapping template makes of a body.

    Raises:
        TemplateFailed: it cannot be read, or does more than it may.
        BodyUnreadable: it needs JSON.
    """
    overrides = overrides or Overrides()
    context = of_json(call.context())
    context["requestOverride"] = overrides.request
    context["responseOverride"] = overrides.response
    if error is not None:
        context["error"] = of_json(error)
    variables = {
        "input": _Input(call, body),
        "context": context,
        "stageVariables": dict(call.stage_variables),
        "util": _Util(),
    }
    return render(template, variables)


class _Input:
    """`$input`. Mutable: it parses the body once, when it is first asked."""

    def __init__(self, call: Call, body: str) -> None:
        self._call = call
        self._body = body
        self._parsed: Any = None
        self._is_parsed = False

    def member(self, name: str) -> Any:
        """See `TemplateObject`."""
        return self._body if name == "body" else None

    def call(self, name: str, arguments: Sequence[Any], budget: Budget) -> Any:
        """See `TemplateObject`."""
        path = text_of(arguments[0], budget) if arguments else "$"
        if name == "path":
            return self._value(path, budget)
        if name == "json":
            return json_of(self._value(path, budget), budget)
        if name == "params":
            return self._parameter(path) if arguments else self._parameters()
        raise TemplateFailed(f"$input has no method {name}")

    def _value(self, path: str, budget: Budget) -> Any:
        if not self._is_parsed:
            try:
                self._parsed = parse_json(self._body, budget) if self._body.strip() else of_json({})
            except ValueError as error:
                raise BodyUnreadable(str(error)) from error
            self._is_parsed = True
        budget.spend(len(self._body))
        try:
            return value_at(self._parsed, path, "")
        except BadPath as error:
            raise TemplateFailed(str(error)) from error

    def _parameters(self) -> dict[str, Any]:
        call = self._call
        return {
            "path": dict(call.path_parameters),
            "querystring": dict(call.last_query),
            "header": dict(call.last_headers),
        }

    def _parameter(self, name: str) -> str:
        """Return a parameter of the path, the query, or a header, in this order."""
        call = self._call
        for found in (call.path_parameters.get(name), call.last_query.get(name)):
            if found is not None:
                return found
        return call.header(name) or ""


class _Util:
    """`$util`."""

    def member(self, name: str) -> Any:
        """See `TemplateObject`."""
        del name

    def call(self, name: str, arguments: Sequence[Any], budget: Budget) -> Any:
        """See `TemplateObject`."""
        function = _UTIL.get(name)
        if function is None or not arguments:
            raise TemplateFailed(f"$util has no method {name} with {len(arguments)} arguments")
        text = text_of(arguments[0], budget)
        budget.spend(len(text))
        try:
            if name == "parseJson":
                return parse_json(text, budget)
            return function(text)
        except (ValueError, binascii.Error) as error:
            raise TemplateFailed(f"$util.{name}: {error}") from error


_UTIL: dict[str, Callable[[str], Any]] = {
    "escapeJavaScript": lambda text: text.translate(_ESCAPES),
    "parseJson": str,
    "urlEncode": quote_plus,
    "urlDecode": unquote_plus,
    "base64Encode": lambda text: base64.b64encode(text.encode()).decode(),
    "base64Decode": lambda text: base64.b64decode(text).decode("utf-8", "replace"),
}
