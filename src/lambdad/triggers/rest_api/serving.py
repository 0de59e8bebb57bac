"""Requests of a REST API's own callers: routed, checked, integrated, answered.

What is served is the deployment of a stage, at the addresses of `lambdad.triggers.execute_api`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import date
from functools import partial
from random import random
from typing import Protocol
from weakref import WeakKeyDictionary

from lambdad.dataplane.tracing import trace_header
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.execute_api import UNUSUAL, Address, Reply, broken
from lambdad.triggers.http_events import Arrival
from lambdad.triggers.http_events_v1 import extended_request_id
from lambdad.triggers.rest_api.authorization import AT_ONCE, Authorization
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.canaries import served
from lambdad.triggers.rest_api.compression import compressed
from lambdad.triggers.rest_api.gateway_responses import Refused, response_of
from lambdad.triggers.rest_api.integrations import Integrations, is_plain
from lambdad.triggers.rest_api.model import Account, Directory, Document, RestApi, Snapshot
from lambdad.triggers.rest_api.routing import Match, Routes
from lambdad.triggers.rest_api.usage import UsageMeter
from lambdad.triggers.rest_api.validation import validate

_PAYLOAD_MAX = 10 * 1024 * 1024


class RestApis(Protocol):
    """What API Gateway keeps."""

    @property
    def directory(self) -> Directory:
        """All REST APIs there are."""
        ...


class RestApiFront:
    """Serves all REST APIs. See `lambdad.triggers.execute_api.ApiFront`.

    `apis` finds them; HostUnfit where API Gateway is somebody else's. Mutable: the routes of
    deployments that were asked for.
    """

    def __init__(
        self,
        apis: Callable[[], Awaitable[RestApis]],
        *,
        authorization: Authorization,
        integrations: Integrations,
        usage: UsageMeter,
        clock: Clock,
        request_ids: Iterator[str],
        draw: Callable[[], float] = random,
        opened: Callable[[], RestApis | None] = lambda: None,
    ) -> None:
        """`draw` decides which requests a canary gets; `opened` is `apis` that are known by now."""
        self._apis = apis
        self._opened = opened
        self._draw = draw
        self._authorization = authorization
        self._integrations = integrations
        self._usage = usage
        self._clock = clock
        self._request_ids = request_ids
        self._routes: WeakKeyDictionary[Snapshot, Routes] = WeakKeyDictionary()

    async def serves(self, api_id: str) -> bool:
        """Whether there is a REST API with this identifier."""
        try:
            return (await self._apis()).directory.anybodys(api_id) is not None
        except HostUnfit:
            return False

    async def handle(
        self, request: HttpRequest, address: Address, *, guest: bool = False
    ) -> HttpResponse:
        """Answer one request."""
        directory = (await self._apis()).directory
        request_id = next(self._request_ids)
        api = directory.anybodys(address.api_id)
        stage_name, path = _stage_of(address)
        stage = None if api is None else api.stages.get(stage_name)
        snapshot = None
        if api is not None and stage is not None:
            snapshot, stage = served(api, stage, self._draw)
        if api is None or stage is None or snapshot is None or not _is_open(api, address):
            # AWS: whether there is such an API is nobody's business.
            refused = Refused("INVALID_API_KEY", "Forbidden")
            return _identified(response_of(refused, None), request_id)
        call = Call(
            api=api,
            snapshot=snapshot,
            stage=stage,
            request=request,
            arrival=self._arrival(request, api, request_id),
            path=path,
            guest=guest,
        )
        account = directory.account(api.account_id, api.region)
        return _identified(await self.answer(call, account), request_id)

    def take(self, request: HttpRequest, address: Address, reply: Reply) -> bool:
        """See `execute_api.QuickFront`: methods of functions that nobody is to be asked about."""
        apis = self._opened()
        api = None if apis is None else apis.directory.anybodys(address.api_id)
        if apis is None or api is None or request.method in UNUSUAL:
            return False
        call = self._plain(api, request, address)
        if call is None:
            return False
        identified = partial(_identified, request_id=call.arrival.request_id)

        def answered(answer: Callable[[], HttpResponse]) -> None:
            try:
                response = identified(_said(call, answer))
            except Exception as error:  # noqa: BLE001 - told and logged
                response = broken(error)
            reply(response)

        try:
            self._check(call)
            self._authorization.check_policy(call)
            self._admit(call, apis.directory.account(api.account_id, api.region))
            self._integrations.begin(call, answered)
        except Refused as refused:
            reply(identified(response_of(refused, call)))
        return True

    def _plain(self, api: RestApi, request: HttpRequest, address: Address) -> Call | None:
        """Return the call that a request is, if it needs nothing special."""
        stage_name, path = _stage_of(address)
        stage = api.stages.get(stage_name)
        if stage is None or stage.get("canarySettings") or not _is_open(api, address):
            return None
        snapshot, stage = served(api, stage, self._draw)
        if snapshot is None:
            return None
        match = self._match(snapshot, request.method, path)
        if match is None or not is_plain(match.method):
            return None
        if (match.method.get("authorizationType") or "NONE") not in AT_ONCE:
            return None
        return Call(
            api=api,
            snapshot=snapshot,
            stage=stage,
            request=request,
            arrival=self._arrival(request, api, next(self._request_ids)),
            path=path,
            match=match,
        )

    async def answer(self, call: Call, account: Account) -> HttpResponse:
        """Answer a call: what its integration says, or why it does not."""
        try:
            return compressed(await self._run(call, account), call)
        except Refused as refused:
            return response_of(refused, call)

    async def test(
        self, snapshot: Snapshot, stage: Document, api: RestApi, request: HttpRequest
    ) -> HttpResponse:
        """Answer a request as TestInvokeMethod does: without authorizer, key or limits."""
        arrival = self._arrival(request, api, next(self._request_ids))
        call = Call(
            api=api,
            snapshot=snapshot,
            stage=stage,
            request=request,
            arrival=arrival,
            path=request.path,
        )
        try:
            self._find_method(call)
            validate(call)
            return await self._integrations.answer(call)
        except Refused as refused:
            return response_of(refused, call)

    def used(self, plan_id: str, key_id: str) -> Mapping[date, int]:
        """Return how many requests of a key counted on each day."""
        return self._usage.used(plan_id, key_id)

    async def _run(self, call: Call, account: Account) -> HttpResponse:
        self._find_method(call)
        self._check(call)
        await self._authorization.check(call)
        self._admit(call, account)
        return await self._integrations.answer(call)

    def _check(self, call: Call) -> None:
        if len(call.request.body) > _PAYLOAD_MAX:
            raise Refused("REQUEST_TOO_LARGE", "Request Too Long")
        try:
            call.query  # noqa: B018 - read here, where it can be refused
        except ValueError as error:
            raise Refused("DEFAULT_4XX", "Bad Request") from error

    def _admit(self, call: Call, account: Account) -> None:
        self._usage.check_key(call, account)
        self._usage.check_stage(call)
        validate(call)

    def _find_method(self, call: Call) -> None:
        call.match = self._match(call.snapshot, call.request.method, call.path)
        if call.match is None:
            raise Refused("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token")

    def _match(self, snapshot: Snapshot, method: str, path: str) -> Match | None:
        routes = self._routes.get(snapshot)
        if routes is None:
            routes = self._routes[snapshot] = Routes(snapshot.resources)
        return routes.match(method, path)

    def _arrival(self, request: HttpRequest, api: RestApi, request_id: str) -> Arrival:
        host, _, port = request.headers.get("host", "").partition(":")
        return Arrival(
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


def _stage_of(address: Address) -> tuple[str, str]:
    """Return the stage, perhaps named by a mapping, and the path."""
    if address.stage:
        return address.stage, address.path
    name, _, rest = address.path.removeprefix("/").partition("/")
    return name, f"/{rest}"


def _is_open(api: RestApi, address: Address) -> bool:
    """Whether an API may be called at this address: some only by the name of a domain."""
    return address.mapped or not api.document.get("disableExecuteApiEndpoint")


def _identified(response: HttpResponse, request_id: str) -> HttpResponse:
    own = {
        "x-amzn-RequestId": request_id,
        "x-amz-apigw-id": extended_request_id(request_id),
    }
    return response.with_headers({**response.headers, **own})


def _said(call: Call, answer: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return compressed(answer(), call)
    except Refused as refused:
        return response_of(refused, call)
