"""Makes what answers HTTP callers who are no AWS clients: URLs, APIs and registries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from lambdad.api.context import EventAcceptor
from lambdad.api.request_ids import request_ids
from lambdad.authz.authentication import Authenticator
from lambdad.config.sections import OutgoingConfig
from lambdad.controlplane.attachments import Attachments
from lambdad.controlplane.permissions import Permissions
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.front import Neighbours
from lambdad.neighbours.hosting import SpawnTask
from lambdad.neighbours.reach import Reach
from lambdad.neighbours.web import OwnCalls, WebClient
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.server.listeners import Listeners, bind
from lambdad.server.registries import Registries
from lambdad.triggers import execute_api, function_url
from lambdad.triggers.authorizers.jwt import IssuerKeys
from lambdad.triggers.execute_api import Address, ExecuteApi, Reply
from lambdad.triggers.function_url import FunctionUrlTrigger
from lambdad.triggers.http_api.authorization import Authorization
from lambdad.triggers.http_api.integrations import Integrations
from lambdad.triggers.http_api.serving import HttpApiFront
from lambdad.triggers.invoking import FunctionCalls
from lambdad.triggers.load_balancer import LoadBalancerTrigger, target_group
from lambdad.triggers.rest_api import authorization as rest_authorization
from lambdad.triggers.rest_api import integrations as rest_integrations
from lambdad.triggers.rest_api.functions import ApiFunctions
from lambdad.triggers.rest_api.own_services import OwnServices
from lambdad.triggers.rest_api.serving import RestApiFront
from lambdad.triggers.rest_api.usage import UsageMeter
from lambdad.triggers.websocket import authorization as socket_authorization
from lambdad.triggers.websocket import integrations as socket_integrations
from lambdad.triggers.websocket.connections import Connections
from lambdad.triggers.websocket.management import PLACE as MANAGEMENT
from lambdad.triggers.websocket.management import Management
from lambdad.triggers.websocket.serving import WebSocketFront

_SWEEP_S = 5.0
# Whatever is asked for elsewhere is a front door's by its host's name alone.
_PLACES = (function_url.PATH_PREFIX, execute_api.PATH_PREFIX, MANAGEMENT, "/restapis/", "/v2")


class _Opened(Protocol):
    """A service that is opened when it is first used."""

    @property
    def parts(self) -> Any | None:
        """What was opened: `DomainNames`."""
        ...


class FrontDoors:
    """Every way in but AWS's API: to functions by plain HTTP, and to registries of images."""

    def __init__(
        self,
        function_urls: FunctionUrlTrigger,
        apis: ExecuteApi,
        *,
        sockets: WebSocketFront,
        domains: Sequence[_Opened],
        registries: Registries,
        calls: OwnCalls,
    ) -> None:
        """`domains` know domain names, once there may be some."""
        self._function_urls = function_urls
        self._apis = apis
        self._sockets = sockets
        self._domains = domains
        self._registries = registries
        self._calls = calls

    def close(self) -> None:
        """Begin no more calls of services."""
        self._calls.close()

    def answer(self, request: HttpRequest, *, guest: bool) -> Awaitable[HttpResponse] | None:
        """Answer a request; None when it is for none of the front doors."""
        handle = self._handler(request)
        return None if handle is None else handle(guest=guest)

    def take(self, request: HttpRequest, reply: Reply) -> bool:
        """Answer a request for an API by calls alone; False where it has to be answered above."""
        if function_url.address_of(request) is not None:
            return False
        address = execute_api.address_of(request)
        if address is None and not request.path.startswith(MANAGEMENT):
            address = self._mapped(request)
        return address is not None and self._apis.take(request, address, reply)

    def claims(self, request: HttpRequest) -> bool:
        """Whether a request is for one of the front doors."""
        host = request.headers.get("host", "")
        if request.path.startswith(_PLACES) or ".lambda-url." in host or ".execute-api." in host:
            return self._handler(request) is not None
        # No other door has a place here. Mostly there are no domain names either.
        for each in self._domains:
            if each.parts is not None:
                return self._mapped(request) is not None
        return False

    def _handler(self, request: HttpRequest) -> Callable[..., Awaitable[HttpResponse]] | None:
        url = function_url.address_of(request)
        if url is not None:
            return partial(self._function_urls.handle, request, url)
        api = execute_api.address_of(request)
        if api is not None:
            return partial(self._apis.handle, request, api)
        if request.path.startswith(MANAGEMENT):
            return partial(self._sockets.manage, request)
        if (mapped := self._mapped(request)) is not None:
            return partial(self._apis.handle, request, mapped)
        return self._registries.handler(request)

    def _mapped(self, request: HttpRequest) -> Address | None:
        """Find the API by a domain name of either kind."""
        for each in self._domains:
            if each.parts is None:
                continue
            if (found := execute_api.mapped(request, each.parts)) is not None:
                return found
        return None


def connect(
    neighbours: Neighbours,
    attachments: Attachments,
    *,
    invoker: Invoker,
    permissions: Permissions,
    events: EventAcceptor,
    authenticator: Authenticator,
    clock: Clock,
    endpoint_url: str,
    outgoing: OutgoingConfig,
    spawn: SpawnTask,
) -> FrontDoors:
    """Connect every front door with what it serves."""
    own_port = urlsplit(endpoint_url).port or 0
    web = WebClient(Reach(own_port=own_port, local=outgoing.local_addresses))
    keys = IssuerKeys(web, clock)
    calls = OwnCalls(endpoint_url, authenticator.daemon_key)
    functions = FunctionCalls(invoker, permissions)
    authorization = Authorization(
        authenticator=authenticator, functions=functions, keys=keys, clock=clock
    )
    http_apis = HttpApiFront(
        partial(neighbours.parts, "apigatewayv2"),
        authorization=authorization,
        integrations=Integrations(functions, web, calls),
        clock=clock,
        request_ids=request_ids(),
        opened=partial(neighbours.opened, "apigatewayv2"),
    )
    sockets = _web_sockets(
        neighbours, functions, web, authenticator=authenticator, clock=clock, spawn=spawn
    )
    rest_apis = _rest_apis(
        neighbours,
        ApiFunctions(invoker, permissions, events),
        web,
        keys=keys,
        authenticator=authenticator,
        clock=clock,
        endpoint_url=endpoint_url,
    )
    urls = FunctionUrlTrigger(
        urls=attachments.function_urls,
        permissions=permissions,
        invoker=invoker,
        authenticator=authenticator,
        clock=clock,
        request_ids=request_ids(),
    )
    return FrontDoors(
        urls,
        ExecuteApi([http_apis, rest_apis, sockets], quick=[http_apis, rest_apis]),
        sockets=sockets,
        domains=[
            server.hosted
            for name in ("apigateway", "apigatewayv2")
            if (server := neighbours.builtin(name)) is not None
        ],
        registries=Registries(neighbours, authenticator),
        calls=calls,
    )


async def listen(
    table: Mapping[str, str], listeners: Listeners, invoker: Invoker, clock: Clock
) -> None:
    """Accept on the ports of load balancers, as the configuration's table has them.

    Raises:
        HostUnfit: an entry means nothing, or its port cannot be listened on.
    """
    for place, text in table.items():
        group = target_group(text)
        host, _, port = place.rpartition(":")
        try:
            listener = bind(host.strip("[]") or "127.0.0.1", int(port))
        except (OSError, ValueError) as error:
            raise HostUnfit(
                f"alb: {place} cannot be listened on: {error}.", "Write a free host:port."
            ) from error
        trigger = LoadBalancerTrigger(
            group, invoker=invoker, clock=clock, request_ids=request_ids()
        )
        await listeners.serve_also(listener, trigger.handle)


def _rest_apis(
    neighbours: Neighbours,
    functions: ApiFunctions,
    web: WebClient,
    *,
    keys: IssuerKeys,
    authenticator: Authenticator,
    clock: Clock,
    endpoint_url: str,
) -> RestApiFront:
    front = RestApiFront(
        partial(neighbours.parts, "apigateway"),
        authorization=rest_authorization.Authorization(
            authenticator=authenticator, functions=functions, keys=keys, clock=clock
        ),
        integrations=rest_integrations.Integrations(
            functions, web, OwnServices(web, endpoint_url, authenticator.daemon_key)
        ),
        usage=UsageMeter(clock),
        clock=clock,
        request_ids=request_ids(),
        opened=partial(neighbours.opened, "apigateway"),
    )
    neighbours.when_opened("apigateway", lambda apis: apis.served_by(front))
    return front


def _web_sockets(
    neighbours: Neighbours,
    functions: FunctionCalls,
    web: WebClient,
    *,
    authenticator: Authenticator,
    clock: Clock,
    spawn: SpawnTask,
) -> WebSocketFront:
    connections = Connections(clock)
    spawn(_close_in_time(connections))
    return WebSocketFront(
        partial(neighbours.parts, "apigatewayv2"),
        connections=connections,
        authorization=socket_authorization.Authorization(authenticator, functions),
        integrations=socket_integrations.Integrations(functions, web),
        management=Management(connections, authenticator),
        clock=clock,
        request_ids=request_ids(),
        spawn=spawn,
    )


async def _close_in_time(connections: Connections) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        connections.expire()
