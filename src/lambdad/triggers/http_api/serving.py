"""Requests of an HTTP API's own callers: routed, allowed, answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from lambdad.dataplane.tracing import trace_header
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers import cors, execute_api
from lambdad.triggers.execute_api import UNUSUAL, Address, Reply
from lambdad.triggers.http_api.authorization import Authorization
from lambdad.triggers.http_api.calls import Call, Unanswerable
from lambdad.triggers.http_api.integrations import Integrations, is_plain
from lambdad.triggers.http_api.model import Api, Document
from lambdad.triggers.http_api.routing import DEFAULT, match
from lambdad.triggers.http_events import Arrival
from lambdad.triggers.throttling import Throttle

_BODY_MAX = 10 * 1024 * 1024
# Some 100 kB for each API.
_FOUND_MAX, _USUAL_PATH = 256, 256
_AT_ONCE = frozenset({"NONE", "AWS_IAM"})


class HttpApis(Protocol):
    """The APIs there are."""

    def anybodys(self, api_id: str) -> Api | None:
        """Return an API, whoever asks."""
        ...


class _Found(NamedTuple):
    """The route that takes a request; see `Call`."""

    stage: str
    served: Mapping[str, Mapping[str, Document]]
    route: Document
    variables: Mapping[str, str]
    path: str
    below_stage: str


class HttpApiFront:
    """Serves all HTTP APIs. `apis` finds them; HostUnfit where API Gateway is somebody else's."""

    def __init__(
        self,
        apis: Callable[[], Awaitable[HttpApis]],
        *,
        authorization: Authorization,
        integrations: Integrations,
        clock: Clock,
        request_ids: Iterator[str],
        opened: Callable[[], HttpApis | None] = lambda: None,
    ) -> None:
        """`opened` finds them where they are known already."""
        self._apis = apis
        self._opened = opened
        self._authorization = authorization
        self._integrations = integrations
        self._clock = clock
        self._request_ids = request_ids
        self._throttle = Throttle(clock)

    async def serves(self, api_id: str) -> bool:
        """Whether there is an HTTP API with that identifier."""
        api = await self._find(api_id)
        return api is not None and api.protocol == "HTTP"

    async def handle(
        self, request: HttpRequest, address: Address, *, guest: bool = False
    ) -> HttpResponse:
        """Answer one request; `guest` if it comes from inside a sandbox."""
        request_id = next(self._request_ids)
        api = await self._find(address.api_id)
        config = None if api is None else api.document.get("CorsConfiguration")
        try:
            if api is None or (not address.mapped and api.document["DisableExecuteApiEndpoint"]):
                raise Unanswerable(404, "Not Found")
            if config and (answer := cors.preflight(config, request)) is not None:
                return replace(answer, status=204)
            found = _found(api, request, address)
            call = self._call(api, request, found, request_id, guest=guest)
            response = await self._run(call)
        except Unanswerable as error:
            response = error.response
        return _finished(response, request, config, request_id)

    def take(self, request: HttpRequest, address: Address, reply: Reply) -> bool:
        """See `execute_api.ApiFront`: of routes to functions that nobody has to be asked about."""
        apis = self._opened()
        api = None if apis is None else apis.anybodys(address.api_id)
        if api is None or api.protocol != "HTTP" or request.method in UNUSUAL:
            return False
        if not address.mapped and api.document["DisableExecuteApiEndpoint"]:
            return False
        try:
            found = _remembered(api, request, address)
        except Unanswerable:
            return False
        integration = _integration(found)
        if found.route.get("AuthorizationType", "NONE") not in _AT_ONCE or not is_plain(
            integration
        ):
            return False
        request_id = next(self._request_ids)
        config = api.document.get("CorsConfiguration")

        def answered(answer: HttpResponse | Exception) -> None:
            if isinstance(answer, Exception):
                reply(execute_api.broken(answer))
            else:
                reply(_finished(answer, request, config, request_id))

        try:
            call = self._call(api, request, found, request_id, guest=False)
            self._check(call)
            self._authorization.check_signer(call)
        except Unanswerable as error:
            answered(error.response)
        else:
            self._integrations.begin(call, integration, answered)
        return True

    async def _find(self, api_id: str) -> Api | None:
        try:
            return (await self._apis()).anybodys(api_id)
        except HostUnfit:
            return None

    def _call(
        self, api: Api, request: HttpRequest, found: _Found, request_id: str, *, guest: bool
    ) -> Call:
        host, _, port = request.headers.get("host", "").partition(":")
        arrival = Arrival(
            domain=host,
            api_id=api.api_id,
            account_id=api.account_id,
            request_id=request_id,
            source_ip=request.headers.get("x-forwarded-for", "127.0.0.1").split(",")[0].strip(),
            port=port or "80",
            scheme="http",
            moment=self._clock.now(),
            trace_header=trace_header(request.headers.get("x-amzn-trace-id"), self._clock.time()),
        )
        return Call(
            api=api,
            stage=found.stage,
            served=found.served,
            route=found.route,
            variables=found.variables,
            path=found.path,
            below_stage=found.below_stage,
            request=request,
            arrival=arrival,
            guest=guest,
        )

    async def _run(self, call: Call) -> HttpResponse:
        self._check(call)
        await self._authorization.check(call)
        return await self._integrations.answer(call, _integration(call))

    def _check(self, call: Call) -> None:
        if not self._passes(call):
            raise Unanswerable(429, "Too Many Requests")
        if len(call.request.body) > _BODY_MAX:
            raise Unanswerable(413, "Request Entity Too Large")

    def _passes(self, call: Call) -> bool:
        stage = call.api.parts["stage"][call.stage]
        common: Document = stage.get("DefaultRouteSettings") or {}
        own: Document = (stage.get("RouteSettings") or {}).get(call.route_key) or {}
        if "ThrottlingRateLimit" not in common and "ThrottlingRateLimit" not in own:
            return True
        settings: dict[str, Any] = {**common, **own}
        rate = float(settings["ThrottlingRateLimit"])
        # AWS: the settings of all routes are one limit for each of them.
        key = (call.api.api_id, call.stage, call.route_key)
        burst = float(settings.get("ThrottlingBurstLimit") or rate)
        return self._throttle.take(key, rate=rate, burst=burst)


def _remembered(api: Api, request: HttpRequest, address: Address) -> _Found:
    """Return what :func:`_found` does, which looks again only after a change of the API."""
    if address.mapped or len(address.path) > _USUAL_PATH:
        return _found(api, request, address)
    key = (request.method, address.path)
    found: _Found | None = api.found.get(key)
    if found is None:
        found = _found(api, request, address)
        if len(api.found) >= _FOUND_MAX:
            api.found.clear()
        api.found[key] = found
    return found


def _found(api: Api, request: HttpRequest, address: Address) -> _Found:
    stage, path = _stage_of(api, address)
    served = api.served(stage)
    found = match(served["route"].values(), request.method, path)
    if found is None or not found.route.get("Target"):
        raise Unanswerable(404, "Not Found")
    whole = request.path if address.mapped else address.path
    return _Found(stage, served, found.route, found.variables, whole, path)


def _integration(found: _Found | Call) -> Document:
    integration_id = str(found.route["Target"]).removeprefix("integrations/")
    return found.served["integration"][integration_id]


def _finished(
    response: HttpResponse, request: HttpRequest, config: Document | None, request_id: str
) -> HttpResponse:
    """Return a response with what the API itself says."""
    headers = cors.response_headers(config, request, response.headers)
    return response.with_headers({**headers, "apigw-requestid": request_id})


def _stage_of(api: Api, address: Address) -> tuple[str, str]:
    """Return the stage that an address names, or the default one, and the path below it."""
    stages = api.parts["stage"]
    if address.stage is not None:
        if address.stage not in stages:
            raise Unanswerable(404, "Not Found")
        return address.stage, address.path
    first, _, rest = address.path.removeprefix("/").partition("/")
    if first in stages and first != DEFAULT:
        return first, f"/{rest}"
    if DEFAULT in stages:
        return DEFAULT, address.path
    raise Unanswerable(404, "Not Found")
