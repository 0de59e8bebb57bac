"""Handshakes and messages of WebSocket APIs' own callers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from lambdad.dataplane.tracing import trace_header
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.execute_api import Address, message
from lambdad.triggers.http_api.model import Api
from lambdad.triggers.http_api.serving import HttpApis
from lambdad.triggers.http_events import Arrival
from lambdad.triggers.websocket.authorization import Authorization
from lambdad.triggers.websocket.connections import Connection, Connections, new_id
from lambdad.triggers.websocket.events import connect_event, context_of
from lambdad.triggers.websocket.integrations import Integrations, Occasion, RouteFailed
from lambdad.triggers.websocket.management import Management, is_management
from lambdad.triggers.websocket.selection import CONNECT, route_by_key
from lambdad.triggers.websocket.sessions import Session
from lambdad.triggers.websocket.socket import Socket

_PROTOCOLS = "sec-websocket-protocol"
_CONNECTIONS_MAX = 5_000
SpawnTask = Callable[[Coroutine[Any, Any, None]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A stage of an API, and the path below it."""

    api: Api
    stage: str
    path: str


class WebSocketFront:
    """Serves all WebSocket APIs. `apis` finds them, as it does for HTTP APIs."""

    def __init__(
        self,
        apis: Callable[[], Awaitable[HttpApis]],
        *,
        connections: Connections,
        authorization: Authorization,
        integrations: Integrations,
        management: Management,
        clock: Clock,
        request_ids: Iterator[str],
        spawn: SpawnTask,
    ) -> None:
        self._apis = apis
        self._connections = connections
        self._authorization = authorization
        self._integrations = integrations
        self._management = management
        self._clock = clock
        self._request_ids = request_ids
        self._spawn = spawn

    async def serves(self, api_id: str) -> bool:
        """Whether there is a WebSocket API with that identifier."""
        api = await self._find(api_id)
        return api is not None and api.protocol == "WEBSOCKET"

    async def manage(self, request: HttpRequest, *, guest: bool = False) -> HttpResponse:
        """Answer a request to `/@connections/…` at the endpoint itself."""
        request_id = next(self._request_ids)
        return self._management.handle(request, request.path, request_id=request_id, guest=guest)

    async def handle(
        self, request: HttpRequest, address: Address, *, guest: bool = False
    ) -> HttpResponse:
        """Answer a handshake, or a request about a connection."""
        request_id = next(self._request_ids)
        api = await self._find(address.api_id)
        if api is None or (not address.mapped and api.document["DisableExecuteApiEndpoint"]):
            return message(403, "Forbidden")
        place = _place(api, address)
        if place is None:
            return _refusal(RouteFailed(403, "Forbidden"), new_id(), request_id)
        if is_management(place.path):
            return self._management.handle(
                request,
                place.path,
                request_id=request_id,
                api_id=api.api_id,
                stage=place.stage,
                guest=guest,
            )
        return await self._handshake(request, place, request_id, guest=guest)

    async def _find(self, api_id: str) -> Api | None:
        try:
            return (await self._apis()).anybodys(api_id)
        except HostUnfit:
            return None

    async def _handshake(
        self, request: HttpRequest, place: _Place, request_id: str, *, guest: bool
    ) -> HttpResponse:
        accepted = _accept(request)
        if accepted.status_code != 101:
            return message(accepted.status_code, accepted.reason_phrase)
        connection = self._connection(request, place, request_id)
        if len(self._connections) >= _CONNECTIONS_MAX:
            return _refusal(RouteFailed(429, "Too Many Requests"), connection.id, request_id)
        try:
            told = await self._connect(request, connection, request_id, guest=guest)
        except RouteFailed as failed:
            return _refusal(failed, connection.id, request_id)
        headers = {name.lower(): value for name, value in accepted.headers.raw_items()}
        headers.pop("connection", None)
        chosen = told.get(_PROTOCOLS)
        if chosen is not None and chosen in _offered(request):
            headers[_PROTOCOLS] = chosen
        session = Session(
            connection,
            connections=self._connections,
            integrations=self._integrations,
            request_ids=self._request_ids,
            spawn=self._spawn,
        )
        connection.socket = Socket(session)
        return HttpResponse(status=101, headers=headers, upgrade=connection.socket)

    async def _connect(
        self, request: HttpRequest, connection: Connection, request_id: str, *, guest: bool
    ) -> Mapping[str, str]:
        """Take the route for the beginning of a connection, if there is one.

        Raises:
            RouteFailed: there is to be no connection.
        """
        served = connection.api.served(connection.stage)
        route = route_by_key(served["route"].values(), CONNECT)
        if route is None:
            return {}

        def occasion() -> Occasion:
            context = context_of(
                connection,
                route_key=CONNECT,
                kind="CONNECT",
                request_id=request_id,
                moment=connection.connected_at,
            )
            event = connect_event(request, connection, context)
            return Occasion(connection=connection, route=route, served=served, event=event)

        await self._authorization.check(occasion(), request, guest=guest)
        reply = await self._integrations.answer(occasion())
        if not 200 <= reply.status < 300:
            text = "Unauthorized" if reply.status == 401 else "Forbidden"
            raise RouteFailed(reply.status, text if reply.status < 500 else "Internal server error")
        return reply.headers

    def _connection(self, request: HttpRequest, place: _Place, request_id: str) -> Connection:
        host, _, port = request.headers.get("host", "").partition(":")
        now, moment = self._clock.monotonic(), self._clock.now()
        arrival = Arrival(
            domain=host,
            api_id=place.api.api_id,
            account_id=place.api.account_id,
            request_id=request_id,
            source_ip=request.headers.get("x-forwarded-for", "127.0.0.1").split(",")[0].strip(),
            port=port or "80",
            scheme="http",
            moment=moment,
            trace_header=trace_header(request.headers.get("x-amzn-trace-id"), self._clock.time()),
        )
        return Connection(
            id=new_id(),
            api=place.api,
            stage=place.stage,
            arrival=arrival,
            user_agent=request.headers.get("user-agent", ""),
            connected_at=moment,
            begun_s=now,
            active_s=now,
            active_at=moment,
        )


def _place(api: Api, address: Address) -> _Place | None:
    stages = api.parts["stage"]
    if address.stage is not None:
        if address.stage not in stages:
            return None
        return _Place(api=api, stage=address.stage, path=address.path)
    stage, _, rest = address.path.removeprefix("/").partition("/")
    return _Place(api=api, stage=stage, path=f"/{rest}") if stage in stages else None


def _accept(request: HttpRequest) -> Response:
    """Return how a handshake is answered, as far as the protocol goes."""
    headers = Headers()
    for name, value in request.headers.items():
        headers[name] = value
    asked = Request(path=request.path, headers=headers, method=request.method)
    return replace(ServerProtocol().accept(asked), body=b"")


def _offered(request: HttpRequest) -> list[str]:
    return [each.strip() for each in request.headers.get(_PROTOCOLS, "").split(",")]


def _refusal(failed: RouteFailed, connection_id: str, request_id: str) -> HttpResponse:
    told = {"message": failed.message, "connectionId": connection_id, "requestId": request_id}
    body = json.dumps(told, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "x-amzn-requestid": request_id}
    return HttpResponse(status=failed.status, headers=headers, body=body)
