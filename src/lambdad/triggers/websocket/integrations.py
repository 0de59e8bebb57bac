"""What a route of a WebSocket API leads to, and what comes back of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.http_api.model import Document
from lambdad.triggers.http_events_v1 import last_of
from lambdad.triggers.invoking import CallFailed, Failure, FunctionCall, FunctionCalls
from lambdad.triggers.outgoing import Unreachable, Web
from lambdad.triggers.vtl.bounds import TemplateFailed
from lambdad.triggers.vtl.templates import render
from lambdad.triggers.vtl.values import of_json
from lambdad.triggers.websocket.connections import Connection

_LIMIT_MS = 29_000
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.(\w+)\}")
_LITERAL = re.compile(r"'(.*)'", re.DOTALL)
_WHAT_FAILED = {
    Failure.THROTTLED: (429, "Too Many Requests"),
    Failure.TIMEOUT: (504, "Endpoint request timed out"),
}


class RouteFailed(Exception):
    """A route has no answer; `message` is what its caller is told, with `status` on a handshake."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        headers: names in lower case.
        body: for who asked, if anybody is to be answered.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why a route is taken.

    Attributes:
        served: the API's parts as the stage has them.
        event: as functions are told of it; `text` is the message, empty on a handshake.
    """

    connection: Connection
    route: Document
    served: Mapping[str, Mapping[str, Document]]
    event: Mapping[str, Any]
    text: str = ""

    @property
    def context(self) -> Mapping[str, Any]:
        """What the API itself says of it."""
        found: Mapping[str, Any] = self.event["requestContext"]
        return found

    @property
    def source_arn(self) -> str:
        """As policies of functions name it."""
        connection = self.connection
        return f"{connection.api.execute_arn}/{connection.stage}/{self.route['RouteKey']}"

    @property
    def stage_variables(self) -> Mapping[str, str]:
        """Those of its stage."""
        return self.event.get("stageVariables") or {}


class Integrations:
    """Answers by whatever a route leads to."""

    def __init__(self, functions: FunctionCalls, web: Web) -> None:
        self._functions = functions
        self._web = web

    async def answer(self, occasion: Occasion) -> Reply:
        """Return what a route's integration answers; a route without one answers nothing.

        Raises:
            RouteFailed: it does not.
        """
        target = str(occasion.route.get("Target") or "").removeprefix("integrations/")
        integration = occasion.served["integration"].get(target)
        if integration is None:
            return Reply(status=200)
        kind = integration["IntegrationType"]
        if kind == "MOCK":
            return _mock(occasion, integration, target)
        if kind == "HTTP_PROXY":
            return await self._forwarded(occasion, integration)
        return await self._function(occasion, integration)

    async def _function(self, occasion: Occasion, integration: Document) -> Reply:
        arrival = occasion.connection.arrival
        try:
            payload = await self._functions.call(
                FunctionCall(
                    uri=_filled(occasion, str(integration["IntegrationUri"])),
                    source_arn=occasion.source_arn,
                    account_id=occasion.connection.api.account_id,
                    request_id=str(occasion.context["requestId"]),
                    payload=json.dumps(occasion.event, separators=(",", ":")).encode(),
                    trace_header=arrival.trace_header,
                    limit_s=_limit_s(integration),
                )
            )
        except CallFailed as failed:
            status, message = _WHAT_FAILED.get(failed.failure, (500, "Internal server error"))
            raise RouteFailed(status, message) from failed
        return _reply(payload)

    async def _forwarded(self, occasion: Occasion, integration: Document) -> Reply:
        headers, query = _parameters(occasion, integration)
        method = str(integration.get("IntegrationMethod") or "POST")
        request = HttpRequest(
            method="POST" if method == "ANY" else method,
            path="/",
            query=urlencode(query),
            headers={"content-type": "application/json", **headers},
            body=occasion.text.encode(),
        )
        url = _filled(occasion, str(integration["IntegrationUri"]))
        try:
            answer = await self._web.send(request, url, timeout_s=_limit_s(integration))
        except TimeoutError as error:
            raise RouteFailed(504, "Endpoint request timed out") from error
        except Unreachable as error:
            raise RouteFailed(500, "Internal server error") from error
        given = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(status=answer.status, headers=given, body=answer.body)


def _reply(payload: bytes) -> Reply:
    """Return what a function answers: `statusCode`, `headers` and `body`, or just a body."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return Reply(status=200, body=payload)
    if not isinstance(answer, dict):
        return Reply(status=200, body=b"" if answer is None else payload)
    status = answer.get("statusCode", 200)
    if isinstance(status, str) and status.isdecimal():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
        raise RouteFailed(500, "Internal server error")
    headers = answer.get("headers")
    given = headers.items() if isinstance(headers, dict) else ()
    body = answer.get("body") if "body" in answer or "statusCode" in answer else answer
    text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
    return Reply(
        status=status,
        headers={str(name).lower(): str(value) for name, value in given},
        body=text.encode("utf-8", "replace"),
    )


def _mock(occasion: Occasion, integration: Document, target: str) -> Reply:
    """Answer as templates say: the request's gives the status, the response's the body."""
    wanted = _chosen(integration.get("RequestTemplates"), integration)
    try:
        found = json.loads(_rendered(occasion, wanted)) if wanted else {"statusCode": 200}
        status = int(found["statusCode"])
    except (ValueError, KeyError, TypeError, TemplateFailed) as error:
        raise RouteFailed(500, "Internal server error") from error
    responses = [
        each
        for key, each in occasion.served["integrationresponse"].items()
        if key.startswith(f"{target}/")
    ]
    response = _response_for(responses, status)
    if response is None:
        return Reply(status=status)
    template = _chosen(response.get("ResponseTemplates"), response)
    try:
        return Reply(status=status, body=_rendered(occasion, template).encode())
    except TemplateFailed as error:
        raise RouteFailed(500, "Internal server error") from error


def _response_for(responses: list[Document], status: int) -> Document | None:
    """Return the response whose key is for a status, else the default one."""
    default = None
    for response in responses:
        key = str(response["IntegrationResponseKey"])
        if key == "$default":
            default = response
        # AWS: a key is a status, or a pattern of one between slashes.
        elif _matches(key.strip("/"), str(status)):
            return response
    return default


def _matches(pattern: str, status: str) -> bool:
    digits = pattern.replace("\\d", "?")
    return len(digits) == len(status) and all(
        each in ("?", digit) for each, digit in zip(digits, status, strict=True)
    )


def _chosen(templates: Mapping[str, str] | None, document: Document) -> str:
    if not templates:
        return ""
    key = str(document.get("TemplateSelectionExpression") or "$default").replace("\\", "")
    return templates.get(key) or templates.get("$default") or next(iter(templates.values()))


def _rendered(occasion: Occasion, template: str) -> str:
    if not any(each in template for each in "$#"):
        return template
    variables = {
        "context": of_json(dict(occasion.context)),
        "stageVariables": dict(occasion.stage_variables),
    }
    return render(template, variables)


def _parameters(occasion: Occasion, integration: Document) -> tuple[dict[str, str], dict[str, str]]:
    """Return headers and query that an integration adds to what it asks."""
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    for key, source in (integration.get("RequestParameters") or {}).items():
        value = _value(occasion, str(source))
        place, _, name = key.removeprefix("integration.request.").partition(".")
        if value is not None and place == "header":
            headers[name.lower()] = value
        elif value is not None and place == "querystring":
            query[name] = value
    return headers, query


def _value(occasion: Occasion, source: str) -> str | None:
    literal = _LITERAL.fullmatch(source)
    if literal is not None:
        return literal[1]
    root, _, path = source.partition(".")
    if root == "context":
        found = occasion.context.get(path)
        return None if found is None or isinstance(found, dict) else str(found)
    if root == "stageVariables":
        return occasion.stage_variables.get(path)
    if source.startswith("route.request.body"):
        return occasion.text
    kind, _, name = source.removeprefix("route.request.").partition(".")
    member = {"header": "multiValueHeaders", "querystring": "multiValueQueryStringParameters"}
    values = occasion.event.get(member.get(kind, ""))
    if not values:
        return None
    lowered = {key.lower(): value for key, value in last_of(values).items()}
    return lowered.get(name.lower())


def _filled(occasion: Occasion, text: str) -> str:
    if "${" not in text:
        return text
    variables = occasion.stage_variables
    return _STAGE_VARIABLE.sub(lambda found: variables.get(found[1], ""), text)


def _limit_s(integration: Document) -> float:
    return int(integration.get("TimeoutInMillis", _LIMIT_MS)) / 1000
