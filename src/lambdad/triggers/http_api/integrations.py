"""What answers a request of an HTTP API: a function, a web server, or another service."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, unquote

from lambdad.domain.errors import LambdadError
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.http_api import services
from lambdad.triggers.http_api.calls import Call, Unanswerable
from lambdad.triggers.http_api.model import Document
from lambdad.triggers.http_api.parameter_mapping import mapped_request, mapped_response, resolved
from lambdad.triggers.http_api.routing import DEFAULT
from lambdad.triggers.http_event_text import ENCODER, event_text
from lambdad.triggers.http_events import InvalidResponse, event_v2, response_of
from lambdad.triggers.http_events_v1 import event_v1, response_v1
from lambdad.triggers.invoking import CallFailed, Failure, FunctionCall, FunctionCalls
from lambdad.triggers.outgoing import CallRefused, ServiceCalls, Unreachable, Web

_UNAVAILABLE = frozenset({Failure.TIMEOUT, Failure.THROTTLED})
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.(\w+)\}")
_PATH_VARIABLE = re.compile(r"\{(\w+)\+?\}")
_NOT_PASSED_ON = frozenset({"host", "connection", "upgrade", "keep-alive", "transfer-encoding"})
_LIMIT_MS = 30_000

Answered = Callable[[HttpResponse | Exception], None]
"""Told a response, or what went wrong here."""


class Integrations:
    """Answers calls by whatever their route leads to."""

    def __init__(self, functions: FunctionCalls, web: Web, calls: ServiceCalls) -> None:
        self._functions = functions
        self._web = web
        self._calls = calls

    async def answer(self, call: Call, integration: Document) -> HttpResponse:
        """Answer a call that is allowed.

        Raises:
            Unanswerable: it cannot be answered.
        """
        if integration.get("IntegrationSubtype"):
            response = await self._service(call, integration)
        else:
            changes = integration.get("RequestParameters")
            request = mapped_request(call, changes) if changes else call.request
            if integration["IntegrationType"] == "HTTP_PROXY":
                response = await self._forwarded(call, request, integration)
            else:
                response = await self._function(call, request, integration)
        answered = integration.get("ResponseParameters")
        return mapped_response(call, response, answered) if answered else response

    async def _function(
        self, call: Call, request: HttpRequest, integration: Document
    ) -> HttpResponse:
        first = _is_first(integration)
        asked = _function_call(call, request, integration, first=first)
        try:
            return _response(await self._functions.call(asked), first=first)
        except CallFailed as failed:
            raise _failed(failed) from failed

    def begin(self, call: Call, integration: Document, answered: Answered) -> None:
        """Answer a call that is allowed and :func:`is_plain`; `answered` is told once."""
        first = _is_first(integration)

        def told(payload: bytes | LambdadError | CallFailed) -> None:
            try:
                if not isinstance(payload, bytes):
                    raise _failed(payload) if isinstance(payload, CallFailed) else payload
                answer: HttpResponse | Exception = _response(payload, first=first)
            except Unanswerable as error:
                answer = error.response
            except Exception as error:  # noqa: BLE001 - passed on
                answer = error
            answered(answer)

        asked = _function_call(call, call.request, integration, first=first)
        self._functions.begin(asked, told)

    async def _forwarded(
        self, call: Call, request: HttpRequest, integration: Document
    ) -> HttpResponse:
        method = str(integration.get("IntegrationMethod") or "ANY")
        kept = {k: v for k, v in request.headers.items() if k not in _NOT_PASSED_ON}
        arrival = call.arrival
        kept["forwarded"] = (
            f"by=127.0.0.1;for={arrival.source_ip};host={arrival.domain};proto={arrival.scheme}"
        )
        kept["via"] = "HTTP/1.1 AmazonAPIGateway"
        sent = replace(
            request, method=request.method if method == "ANY" else method, headers=kept, head=b""
        )
        try:
            answer = await self._web.send(
                sent, _url(call, request, integration), timeout_s=_limit_s(integration)
            )
        except (TimeoutError, Unreachable) as error:
            raise Unanswerable(503, "Service Unavailable") from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return replace(answer, headers=headers)

    async def _service(self, call: Call, integration: Document) -> HttpResponse:
        subtype = str(integration["IntegrationSubtype"])
        parameters = resolved(call, integration.get("RequestParameters") or {})
        region = parameters.pop("Region", call.api.region)
        try:
            request = services.request_of(subtype, parameters)
        except ValueError as error:
            raise Unanswerable(400, str(error)) from error
        try:
            answer = await self._calls.call(
                request.service, call.api.account_id, region, request.operation, **request.params
            )
        except CallRefused as refused:
            status = refused.status if 400 <= refused.status <= 599 else 500
            raise Unanswerable(status, str(refused)) from refused
        return services.response_of(subtype, answer, call.arrival.request_id)


def is_plain(integration: Document) -> bool:
    """Whether an integration is a function that gets requests as they are."""
    return (
        integration["IntegrationType"] == "AWS_PROXY"
        and not integration.get("IntegrationSubtype")
        and not integration.get("RequestParameters")
        and not integration.get("ResponseParameters")
    )


def _is_first(integration: Document) -> bool:
    return integration.get("PayloadFormatVersion") == "1.0"


def _function_call(
    call: Call, request: HttpRequest, integration: Document, *, first: bool
) -> FunctionCall:
    arrival = call.arrival
    return FunctionCall(
        uri=_with_stage_variables(call, str(integration["IntegrationUri"])),
        source_arn=call.route_arn,
        account_id=call.api.account_id,
        request_id=arrival.request_id,
        payload=_event_text(call, request, first=first).encode(),
        trace_header=arrival.trace_header,
        limit_s=_limit_s(integration),
    )


def _event_text(call: Call, request: HttpRequest, *, first: bool) -> str:
    text = None
    if not first and call.authorizer is None and request is call.request:
        text = event_text(
            request,
            call.arrival,
            path=call.path,
            route_key=call.route_key,
            stage=call.stage,
            variables=call.variables,
            stage_variables=call.stage_variables,
        )
    return ENCODER.encode(event_of(call, request, first=first)) if text is None else text


def _response(payload: bytes, *, first: bool) -> HttpResponse:
    """Return the response that a function's answer describes.

    Raises:
        Unanswerable: it describes none.
    """
    try:
        return response_v1(payload) if first else response_of(payload)
    except InvalidResponse as error:
        raise Unanswerable(500, "Internal Server Error") from error


def _failed(failed: CallFailed) -> Unanswerable:
    if failed.failure in _UNAVAILABLE:
        return Unanswerable(503, "Service Unavailable")
    return Unanswerable(500, "Internal Server Error")


def event_of(call: Call, request: HttpRequest, *, first: bool) -> dict[str, object]:
    """Return the event of a call, in format 1.0 if it is the `first`."""
    arrival = call.arrival
    if call.authorizer is not None:
        arrival = arrival._replace(authorizer=call.authorizer)
    if first:
        given = call.authorizer or {}
        # AWS: the first format has a function's context and a token's claims without a name.
        if "lambda" in given:
            arrival = arrival._replace(authorizer=given["lambda"] or {})
        elif "jwt" in given:
            arrival = arrival._replace(authorizer=given["jwt"])
        return event_v1(
            request,
            arrival,
            path=unquote(call.path),
            resource=call.route_key.rpartition(" ")[2],
            stage=call.stage,
            path_parameters=call.variables,
            stage_variables=call.stage_variables,
        )
    path = call.path if request is call.request else request.path
    event = event_v2(request, arrival, path=path)
    event["routeKey"] = event["requestContext"]["routeKey"] = call.route_key
    event["requestContext"]["stage"] = call.stage
    if call.variables:
        event["pathParameters"] = dict(call.variables)
    if variables := call.stage_variables:
        event["stageVariables"] = dict(variables)
    return event


def _limit_s(integration: Document) -> float:
    return int(integration.get("TimeoutInMillis", _LIMIT_MS)) / 1000


def _with_stage_variables(call: Call, text: str) -> str:
    if "${" not in text:
        return text
    variables = call.stage_variables
    return _STAGE_VARIABLE.sub(lambda found: variables.get(found[1], ""), text)


def _url(call: Call, request: HttpRequest, integration: Document) -> str:
    """Return where a request goes: path variables filled in, or the path that a mapping gave it."""
    uri = _with_stage_variables(call, str(integration["IntegrationUri"]))
    url = _PATH_VARIABLE.sub(lambda found: quote(call.variables.get(found[1], ""), safe="/"), uri)
    if request is not call.request and request.path != call.request.path:
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{request.path}"
    if call.route_key == DEFAULT:
        return f"{url.rstrip('/')}{call.below_stage}"
    return url
