"""What an integration changes of requests and responses, by its parameters. Pure.

See "Transform API requests and responses" in the API Gateway developer guide. Keys are an action
and a place, `append:header.name`; values are texts with variables, `$request.path.id`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.http_api.calls import Call

REQUEST_KEY = re.compile(
    r"(?:append|overwrite|remove):(?:header|querystring)\.[^\s]+|overwrite:path"
)
RESPONSE_KEY = re.compile(
    r"(?:append|overwrite|remove):header\.[^\s]+|overwrite:statuscode", re.IGNORECASE
)
_VARIABLE = re.compile(
    r"\$\{([^}]+)\}|\$((?:request|response|context|stageVariables)[\w.$@\[\]-]*)"
)
# AWS: these are not for integrations to change.
_RESERVED = re.compile(
    r"(?i)access-control-.*|apigw-.*|authorization|connection|content-encoding|content-length|"
    r"content-location|forwarded|keep-alive|origin|proxy-authenticate|proxy-authorization|te|"
    r"trailers|transfer-encoding|upgrade|x-amz-.*|x-amzn-.*|x-forwarded-.*|via|host"
)
_FIELDS_MAX = 1_000

Resolve = Callable[[str], str | None]


def is_reserved(key: str) -> bool:
    """Whether a mapping's key names a header that AWS does not let anybody change."""
    place = key.partition(":")[2]
    return place.startswith("header.") and _RESERVED.fullmatch(place[7:]) is not None


def mapped_request(call: Call, parameters: Mapping[str, str]) -> HttpRequest:
    """Return the request of a call with a proxy integration's changes."""
    request = call.request
    resolve = request_variables(call)
    headers = dict(request.headers)
    query = parse_qsl(request.query, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    path = request.path
    query_changed = False
    for action, place, value in _actions(parameters, resolve):
        if place == "path":
            path = quote(value or "/", safe="/%-._~!$&'()*+,;=:@")
        elif place.startswith("header."):
            _change(headers, action, place[7:].lower(), value)
        else:
            query_changed = True
            query = _changed_query(query, action, place.removeprefix("querystring."), value)
    return replace(
        request,
        path=path if path.startswith("/") else f"/{path}",
        headers=headers,
        query=urlencode(query) if query_changed else request.query,
        head=b"",
    )


def mapped_response(
    call: Call, response: HttpResponse, parameters: Mapping[str, Mapping[str, str]]
) -> HttpResponse:
    """Return a response with what the integration changes for its status."""
    changes = parameters.get(str(response.status))
    if not changes:
        return response
    of_call = request_variables(call)

    def resolve(name: str) -> str | None:
        if name.startswith("response.header."):
            return response.headers.get(name[16:].lower())
        if name == "response.body" or name.startswith("response.body."):
            return _of_body(response.body, name[13:])
        return None if name.startswith("request.") else of_call(name)

    headers = dict(response.headers)
    status = response.status
    for action, place, value in _actions(changes, resolve):
        if place.lower() == "statuscode":
            status = int(value) if value.isdecimal() and 100 <= int(value) <= 599 else status
        else:
            _change(headers, action, place[7:].lower(), value)
    return replace(response, status=status, headers=headers)


def resolved(call: Call, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a service's integration, with values in place of variables."""
    resolve = request_variables(call)
    return {name: _filled(text, resolve) for name, text in parameters.items()}


def request_variables(call: Call) -> Resolve:
    """Return what finds a variable of a request, without its dollar sign."""
    request = call.request

    def resolve(name: str) -> str | None:
        root, _, rest = name.partition(".")
        if root == "context":
            return call.context_variable(rest)
        if root == "stageVariables":
            return call.stage_variables.get(rest)
        kind, _, key = rest.partition(".")
        if kind == "header":
            return request.headers.get(key.lower())
        if kind == "querystring":
            return _joined(request.query, key)
        if kind == "path":
            return call.variables.get(key) if key else request.path
        return _of_body(request.body, key) if kind == "body" else None

    return resolve


def _actions(parameters: Mapping[str, str], resolve: Resolve) -> Iterator[tuple[str, str, str]]:
    for key, text in parameters.items():
        action, _, place = key.partition(":")
        yield action, place, _filled(text, resolve) if action != "remove" else ""


def _filled(text: str, resolve: Resolve) -> str:
    return _VARIABLE.sub(lambda found: resolve(found[1] or found[2]) or "", text)


def _change(headers: dict[str, str], action: str, name: str, value: str) -> None:
    if action == "remove":
        headers.pop(name, None)
    elif action == "append" and name in headers:
        headers[name] = f"{headers[name]},{value}"
    else:
        headers[name] = value


def _changed_query(
    query: list[tuple[str, str]], action: str, name: str, value: str
) -> list[tuple[str, str]]:
    kept = query if action == "append" else [each for each in query if each[0] != name]
    return kept if action == "remove" else [*kept, (name, value)]


def _joined(query: str, name: str) -> str | None:
    fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    found = [value for key, value in fields if key == name]
    return ",".join(found) if found else None


def _of_body(body: bytes, path: str) -> str | None:
    """Return the whole body, or what a dotted path leads to in a document of JSON."""
    if not path:
        return body.decode("utf-8", "replace")
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for step in re.findall(r"[^.$\[\]]+", path):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    if found is None or isinstance(found, str):
        return found
    return json.dumps(found, separators=(",", ":"))
