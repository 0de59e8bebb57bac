"""What methods lead to: functions, web servers, services of AWS, or nothing at all."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from lambdad.controlplane.references import Target
from lambdad.domain.invocations import InvocationResult
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.http_events import InvalidResponse
from lambdad.triggers.http_events_v1 import response_v1
from lambdad.triggers.invoking import target_of
from lambdad.triggers.outgoing import Unreachable, Web
from lambdad.triggers.rest_api import custom, media_types
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.custom import Answer
from lambdad.triggers.rest_api.functions import ApiFunctions
from lambdad.triggers.rest_api.gateway_responses import Refused, internal_error, misconfigured
from lambdad.triggers.rest_api.model import Document
from lambdad.triggers.rest_api.own_services import OwnServices, address_of
from lambdad.triggers.rest_api.parameters import Outgoing, with_stage_variables

_TIMEOUT_MS = 29_000
# An event holds nothing that holds itself.
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)

Answered = Callable[[Callable[[], HttpResponse]], None]
"""Told how to get the answer, which raises what there is instead."""
# Of the connection to API Gateway.
_NOT_PASSED = frozenset({"host", "connection", "content-length", "transfer-encoding", "expect"})
_NOT_RETURNED = frozenset({"transfer-encoding", "keep-alive"})
_REMAPPED = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-md5",
        "date",
        "expect",
        "host",
        "max-forwards",
        "proxy-authenticate",
        "server",
        "te",
        "trailer",
        "upgrade",
        "user-agent",
        "via",
        "www-authenticate",
    }
)


class Integrations:
    """Answers requests that passed all checks."""

    def __init__(self, functions: ApiFunctions, web: Web, services: OwnServices) -> None:
        self._functions = functions
        self._web = web
        self._services = services

    async def answer(self, call: Call) -> HttpResponse:
        """Return what the method's integration answers.

        Raises:
            Refused: it does not.
        """
        integration: Document | None = call.method.get("methodIntegration")
        if not integration:
            raise misconfigured()
        kind = integration["type"]
        if kind == "MOCK":
            return self._mock(call, integration)
        uri = with_stage_variables(integration.get("uri") or "", call.stage_variables)
        if kind == "AWS_PROXY":
            return await self._function_proxy(call, integration, uri)
        if kind == "AWS":
            if target_of(uri) is not None:
                return await self._function(call, integration, uri)
            return await self._service(call, integration, uri)
        if kind in ("HTTP", "HTTP_PROXY"):
            return await self._http(call, integration, uri)
        raise misconfigured()

    def _mock(self, call: Call, integration: Document) -> HttpResponse:
        prepared = custom.prepare(call, integration)
        status = custom.mock_status(prepared)
        answer = Answer(subject=status, body=b"", header=lambda _: [])
        return custom.respond(call, integration, answer)

    async def _function_proxy(self, call: Call, integration: Document, uri: str) -> HttpResponse:
        target, payload = self._proxied(call, integration, uri)
        outcome = await self._functions.invoke(
            call, target, payload, timeout_s=_timeout_s(integration)
        )
        return _proxy_answer(call, outcome)

    def begin(self, call: Call, answered: Answered) -> None:
        """Answer a call of a function that gets requests as they are; `answered` is told once.

        Raises:
            Refused: it is not answered.
        """
        integration: Document = call.method["methodIntegration"]
        uri = with_stage_variables(integration.get("uri") or "", call.stage_variables)
        target, payload = self._proxied(call, integration, uri)

        def told(outcome: InvocationResult | Exception) -> None:
            if isinstance(outcome, InvocationResult):
                answered(partial(_proxy_answer, call, outcome))
            else:
                answered(partial(_raise, outcome))

        self._functions.begin(call, target, payload, timeout_s=_timeout_s(integration), told=told)

    def _proxied(self, call: Call, integration: Document, uri: str) -> tuple[Target, bytes]:
        target = target_of(uri)
        if target is None:
            raise misconfigured()
        if not integration.get("credentials"):
            self._functions.check(call, target, source_arn(call))
        return target, _ENCODER.encode(proxy_event(call)).encode()

    async def _function(self, call: Call, integration: Document, uri: str) -> HttpResponse:
        target = target_of(uri)
        if target is None:
            raise misconfigured()
        prepared = custom.prepare(call, integration)
        if not integration.get("credentials"):
            self._functions.check(call, target, source_arn(call))
        headers = {name.lower(): value for name, value in prepared.outgoing.headers.items()}
        payload = _payload(prepared.text)
        tenant_id = headers.get("x-amz-tenant-id")
        if headers.get("x-amz-invocation-type", "").lower() == "event":
            await self._functions.send(call, target, payload, tenant_id=tenant_id)
            answer = Answer(subject=None, body=b"", header=lambda _: [])
            return custom.respond(call, integration, answer)
        outcome = await self._functions.invoke(
            call, target, payload, timeout_s=_timeout_s(integration), tenant_id=tenant_id
        )
        subject = None
        if outcome.function_error is not None:
            subject = error_message(outcome.payload)
        answer = Answer(subject=subject, body=outcome.payload, header=lambda _: [])
        return custom.respond(call, integration, answer)

    async def _service(self, call: Call, integration: Document, uri: str) -> HttpResponse:
        prepared = custom.prepare(call, integration)
        address = address_of(_with_path(uri, prepared.outgoing))
        if address is None:
            raise misconfigured()
        request = _request(call, integration, prepared.outgoing, prepared.body)
        try:
            found = await self._services.send(
                address, call.api.account_id, request, timeout_s=_timeout_s(integration)
            )
        except TimeoutError as error:
            raise _timed_out() from error
        except Unreachable as error:
            raise internal_error() from error
        return custom.respond(call, integration, _answer(found))

    async def _http(self, call: Call, integration: Document, uri: str) -> HttpResponse:
        is_proxy = integration["type"] == "HTTP_PROXY"
        prepared = (
            custom.prepare(call, {**integration, "requestTemplates": None})
            if is_proxy
            else (custom.prepare(call, integration))
        )
        outgoing = prepared.outgoing
        if is_proxy:
            _pass_on(call, outgoing)
        request = _request(call, integration, outgoing, prepared.body)
        try:
            found = await self._web.send(
                request, _with_path(uri, outgoing), timeout_s=_timeout_s(integration)
            )
        except TimeoutError as error:
            raise _timed_out() from error
        except Unreachable as error:
            raise Refused(
                "INTEGRATION_FAILURE", "Network error communicating with endpoint"
            ) from error
        if not is_proxy:
            return custom.respond(call, integration, _answer(found))
        return _returned(call, found)


def is_plain(method: Document) -> bool:
    """Whether a method is a function that gets requests as they are."""
    integration: Document = method.get("methodIntegration") or {}
    return integration.get("type") == "AWS_PROXY"


def _proxy_answer(call: Call, outcome: InvocationResult) -> HttpResponse:
    if outcome.function_error is not None:
        raise internal_error(502)
    binary = media_types.is_binary(call.snapshot.document, call.header("accept"))
    try:
        return _returned(call, response_v1(outcome.payload, binary=binary))
    except InvalidResponse as error:
        raise internal_error(502) from error


def _raise(error: Exception) -> HttpResponse:
    raise error


def _returned(call: Call, response: HttpResponse) -> HttpResponse:
    """Return what a proxy answered, as API Gateway passes it on: some headers by another name."""
    headers = {}
    for name, value in response.headers.items():
        if name not in _NOT_RETURNED:
            headers[f"x-amzn-Remapped-{name}" if name in _REMAPPED else name] = value
    headers.setdefault("X-Amzn-Trace-Id", call.arrival.trace_header)
    return response.with_headers(headers)


def source_arn(call: Call) -> str:
    """What functions' policies name: stage, method and resource."""
    method = call.method["httpMethod"]
    return f"{call.api_arn}/{'*' if method == 'ANY' else method}{call.resource_path}"


def proxy_event(call: Call) -> dict[str, Any]:
    """Return the event of a proxy integration, as the developer guide describes it."""
    request = call.request
    body: str | None = None
    encoded = False
    if request.body:
        encoded = media_types.is_binary(call.snapshot.document, call.header("content-type"))
        body = (
            base64.b64encode(request.body).decode()
            if encoded
            else request.body.decode("utf-8", "replace")
        )
    query = call.query
    return {
        "resource": call.resource_path,
        "path": call.path,
        "httpMethod": request.method,
        "headers": call.last_headers,
        "multiValueHeaders": call.headers,
        "queryStringParameters": call.last_query if query else None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(call.path_parameters) or None,
        "stageVariables": dict(call.stage_variables) or None,
        "requestContext": call.context(),
        "body": body,
        "isBase64Encoded": encoded,
    }


def error_message(payload: bytes) -> str:
    """Return the text that selection patterns are compared with."""
    try:
        found = json.loads(payload)
    except ValueError:
        return ""
    return str(found.get("errorMessage") or "") if isinstance(found, dict) else ""


def _payload(text: str) -> bytes:
    """Return an event; Lambda takes JSON alone, so the absence of a body is an empty object.

    Raises:
        Refused: it is no JSON.
    """
    if not text.strip():
        return b"{}"
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("BAD_REQUEST_BODY", "Invalid request body") from error
    return text.encode("utf-8", "replace")


def _timeout_s(integration: Mapping[str, Any]) -> float:
    return int(integration.get("timeoutInMillis") or _TIMEOUT_MS) / 1000


def _timed_out() -> Refused:
    return Refused("INTEGRATION_TIMEOUT", "Endpoint request timed out")


def _with_path(uri: str, outgoing: Outgoing) -> str:
    """Return a URI with its path parameters put in."""
    for name, value in outgoing.path.items():
        text = quote(value, safe="/%:@!$&'()*+,;=~")
        uri = uri.replace(f"{{{name}}}", text).replace(f"{{{name}+}}", text)
    return uri


def _pass_on(call: Call, outgoing: Outgoing) -> None:
    """Add all of a request that no mapping sets otherwise."""
    named = {name.lower() for name in outgoing.headers}
    for name, values in call.headers.items():
        if name.lower() not in named | _NOT_PASSED:
            outgoing.headers[name] = ",".join(values)
    for name, values in call.query.items():
        outgoing.query.setdefault(name, values)
    for name, value in call.path_parameters.items():
        outgoing.path.setdefault(name, value)


def _request(call: Call, integration: Document, outgoing: Outgoing, body: bytes) -> HttpRequest:
    method = integration.get("httpMethod") or call.request.method
    headers = {name.lower(): value for name, value in outgoing.headers.items()}
    if body and "content-type" not in headers:
        headers["content-type"] = call.header("content-type") or media_types.JSON
    headers.setdefault("x-amzn-trace-id", call.arrival.trace_header)
    headers.setdefault("user-agent", f"AmazonAPIGateway_{call.api.api_id}")
    return HttpRequest(
        method=call.request.method if method == "ANY" else method,
        path="/",
        query=urlencode(outgoing.query, doseq=True),
        headers=headers,
        body=body,
    )


def _answer(found: HttpResponse) -> Answer:
    lowered = {name.lower(): value for name, value in found.headers.items()}

    def header(name: str) -> list[str]:
        values = [lowered[name.lower()]] if name.lower() in lowered else []
        return values + [value for each, value in found.repeated if each.lower() == name.lower()]

    return Answer(
        subject=str(found.status),
        body=found.body,
        header=header,
        media_type=lowered.get("content-type", media_types.JSON),
    )
