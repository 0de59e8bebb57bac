"""Requests of an HTTP API's own callers: routed, invoked, answered."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lambdad.authz.policies import Decision, Principal
from lambdad.controlplane.permissions import Permissions
from lambdad.controlplane.references import Target
from lambdad.dataplane.invoker import Invoker
from lambdad.dataplane.tracing import trace_header
from lambdad.domain.arns import FunctionKey, parse_function_reference
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit, ServiceException, TooManyRequestsException
from lambdad.domain.invocations import Invocation
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers import cors, execute_api
from lambdad.triggers.execute_api import Address
from lambdad.triggers.http_api.model import Api, Document
from lambdad.triggers.http_api.routing import DEFAULT, Match, match
from lambdad.triggers.http_events import Arrival, InvalidResponse, event_v2, response_of

_FUNCTION = re.compile(r"arn:aws:apigateway:[^:]+:lambda:path/[^/]+/functions/(.+)/invocations")
_SERVICE = Principal(service="apigateway.amazonaws.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A request that has found its route."""

    api: Api
    stage: str
    match: Match
    path: str
    request_id: str


class Unanswerable(Exception):
    """The API cannot answer; `response` is what its caller sees."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.response = execute_api.message(status, message)


class HttpApis(Protocol):
    """The APIs there are."""

    def anybodys(self, api_id: str) -> Api | None:
        """Return an API, whoever asks."""
        ...


class HttpApiFront:
    """Serves all HTTP APIs. `apis` finds them; HostUnfit where API Gateway is somebody else's."""

    def __init__(
        self,
        apis: Callable[[], Awaitable[HttpApis]],
        *,
        invoker: Invoker,
        permissions: Permissions,
        clock: Clock,
        request_ids: Iterator[str],
    ) -> None:
        self._apis = apis
        self._invoker = invoker
        self._permissions = permissions
        self._clock = clock
        self._request_ids = request_ids

    async def serves(self, api_id: str) -> bool:
        """Whether there is an HTTP API with that identifier."""
        return await self._find(api_id) is not None

    async def handle(
        self, request: HttpRequest, address: Address, *, guest: bool = False
    ) -> HttpResponse:
        """Answer one request."""
        del guest  # its own callers' permissions are judged, not the network's
        request_id = next(self._request_ids)
        api = await self._find(address.api_id)
        config = None if api is None else api.document.get("CorsConfiguration")
        try:
            if api is None or api.document.get("DisableExecuteApiEndpoint"):
                raise Unanswerable(404, "Not Found")
            if config and (answer := cors.preflight(config, request)) is not None:
                return replace(answer, status=204)
            response = await self._run(api, request, address, request_id)
        except Unanswerable as error:
            response = error.response
        headers = cors.response_headers(config, request, response.headers)
        return replace(response, headers={**headers, "apigw-requestid": request_id})

    async def _find(self, api_id: str) -> Api | None:
        try:
            return (await self._apis()).anybodys(api_id)
        except HostUnfit:
            return None

    async def _run(
        self, api: Api, request: HttpRequest, address: Address, request_id: str
    ) -> HttpResponse:
        stage, path = _stage_of(api, address.path)
        found = match(api.parts["route"].values(), request.method, path)
        if found is None or not found.route.get("Target"):
            raise Unanswerable(404, "Not Found")
        integration_id = str(found.route["Target"]).removeprefix("integrations/")
        integration = api.parts["integration"][integration_id]
        target = _target(integration["IntegrationUri"])
        self._check_permission(api, stage, found.route, target)
        call = _Call(api=api, stage=stage, match=found, path=address.path, request_id=request_id)
        event = self._event(request, call)
        invocation = Invocation(
            request_id=request_id,
            payload=json.dumps(event, separators=(",", ":")).encode(),
            invoked_arn=target.key.arn(target.qualifier),
            trace_header=event["headers"]["x-amzn-trace-id"],
        )
        return await self._invoke(target, invocation, integration)

    async def _invoke(
        self, target: Target, invocation: Invocation, integration: Document
    ) -> HttpResponse:
        limit_s = int(integration.get("TimeoutInMillis", 30_000)) / 1000
        try:
            async with asyncio.timeout(limit_s):
                outcome = await self._invoker.invoke(target.key, target.qualifier, invocation)
        except (TimeoutError, TooManyRequestsException) as error:
            raise Unanswerable(503, "Service Unavailable") from error
        except ServiceException as error:
            raise Unanswerable(500, "Internal Server Error") from error
        if outcome.function_error is not None:
            raise Unanswerable(500, "Internal Server Error")
        try:
            return response_of(outcome.payload)
        except InvalidResponse as error:
            raise Unanswerable(500, "Internal Server Error") from error

    def _check_permission(self, api: Api, stage: str, route: Document, target: Target) -> None:
        method, _, path = route["RouteKey"].partition(" ")
        place = DEFAULT if method == DEFAULT else f"{'*' if method == 'ANY' else method}{path}"
        api_arn = f"arn:aws:execute-api:{api.region}:{api.account_id}:{api.api_id}"
        arn = f"{api_arn}/{stage}/{place}"
        context = {"aws:SourceArn": arn, "aws:SourceAccount": api.account_id}
        action = "lambda:InvokeFunction"
        decided = self._permissions.decide(target, _SERVICE, action, context)
        if decided is not Decision.ALLOWED:
            raise Unanswerable(500, "Internal Server Error")

    def _event(self, request: HttpRequest, call: _Call) -> dict[str, Any]:
        api = call.api
        host, _, port = request.headers.get("host", "").partition(":")
        arrival = Arrival(
            domain=host,
            api_id=api.api_id,
            account_id=api.account_id,
            request_id=call.request_id,
            source_ip=request.headers.get("x-forwarded-for", "127.0.0.1").split(",")[0].strip(),
            port=port or "80",
            scheme="http",
            moment=self._clock.now(),
            trace_header=trace_header(request.headers.get("x-amzn-trace-id"), self._clock.time()),
        )
        event = event_v2(request, arrival, path=call.path)
        event["routeKey"] = event["requestContext"]["routeKey"] = call.match.route["RouteKey"]
        event["requestContext"]["stage"] = call.stage
        if call.match.variables:
            event["pathParameters"] = dict(call.match.variables)
        variables: Mapping[str, str] = api.parts["stage"][call.stage].get("StageVariables") or {}
        if variables:
            event["stageVariables"] = dict(variables)
        return event


def _stage_of(api: Api, path: str) -> tuple[str, str]:
    """Return the stage that a path names, or the default one, and the path below it."""
    stages = api.parts["stage"]
    first, _, rest = path.removeprefix("/").partition("/")
    if first in stages and first != DEFAULT:
        return first, f"/{rest}"
    if DEFAULT in stages:
        return DEFAULT, path
    raise Unanswerable(404, "Not Found")


def _target(uri: str) -> Target:
    """Return the function of an integration: its ARN, or API Gateway's name of its invocations."""
    wrapped = _FUNCTION.fullmatch(uri)
    reference = parse_function_reference(wrapped[1] if wrapped else uri)
    if reference is None or reference.account_id is None or reference.region is None:
        raise Unanswerable(500, "Internal Server Error")
    key = FunctionKey(account_id=reference.account_id, region=reference.region, name=reference.name)
    return Target(key=key, qualifier=reference.qualifier)
