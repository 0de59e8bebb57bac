"""Makes what answers HTTP callers who are no AWS clients: function URLs and APIs."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from lambdad.api.request_ids import request_ids
from lambdad.authz.authentication import Authenticator
from lambdad.controlplane.attachments import Attachments
from lambdad.controlplane.permissions import Permissions
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.clock import Clock
from lambdad.neighbours.front import Neighbours
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers import execute_api, function_url
from lambdad.triggers.execute_api import ExecuteApi
from lambdad.triggers.function_url import FunctionUrlTrigger
from lambdad.triggers.http_api.serving import HttpApiFront


class FrontDoors:
    """Every way to a function by plain HTTP."""

    def __init__(self, function_urls: FunctionUrlTrigger, apis: ExecuteApi) -> None:
        self._function_urls = function_urls
        self._apis = apis

    def answer(self, request: HttpRequest, *, guest: bool) -> Awaitable[HttpResponse] | None:
        """Answer a request; None when it is for none of the front doors."""
        url = function_url.address_of(request)
        if url is not None:
            return self._function_urls.handle(request, url, guest=guest)
        api = execute_api.address_of(request)
        if api is not None:
            return self._apis.handle(request, api, guest=guest)
        return None


def connect(
    neighbours: Neighbours,
    attachments: Attachments,
    *,
    invoker: Invoker,
    permissions: Permissions,
    authenticator: Authenticator,
    clock: Clock,
) -> FrontDoors:
    """Connect every front door with what it serves."""
    http_apis = HttpApiFront(
        partial(neighbours.parts, "apigatewayv2"),
        invoker=invoker,
        permissions=permissions,
        clock=clock,
        request_ids=request_ids(),
    )
    return FrontDoors(
        FunctionUrlTrigger(
            urls=attachments.function_urls,
            permissions=permissions,
            invoker=invoker,
            authenticator=authenticator,
            clock=clock,
            request_ids=request_ids(),
        ),
        # In this order each is asked whether an API is its own.
        ExecuteApi([http_apis]),
    )
