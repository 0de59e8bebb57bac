"""Who may begin a connection: whoever signs the handshake, or pleases a function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdad.authz.authentication import Authenticator
from lambdad.authz.policies import Decision
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4_refusals import SignatureRefused
from lambdad.triggers.authorizers.iam import event_identity
from lambdad.triggers.authorizers.lambda_results import InvalidResult, parse_result
from lambdad.triggers.http_api.model import Document
from lambdad.triggers.http_events_v1 import last_of, query_values
from lambdad.triggers.invoking import CallFailed, FunctionCall, FunctionCalls
from lambdad.triggers.websocket.connections import Connection
from lambdad.triggers.websocket.events import authorizer_event
from lambdad.triggers.websocket.integrations import Occasion, RouteFailed

_LIMIT_S = 10.0


class Authorization:
    """Decides about handshakes."""

    def __init__(self, authenticator: Authenticator, functions: FunctionCalls) -> None:
        self._authenticator = authenticator
        self._functions = functions

    async def check(self, occasion: Occasion, request: HttpRequest, *, guest: bool) -> None:
        """Let a handshake pass, and note at its connection who it is.

        Raises:
            RouteFailed: its caller may not connect, or that cannot be found out.
        """
        connection, route = occasion.connection, occasion.route
        kind = route.get("AuthorizationType", "NONE")
        if kind == "AWS_IAM":
            connection.authorizer = self._signer(connection, request, guest=guest)
        elif kind == "CUSTOM":
            authorizer = occasion.served["authorizer"].get(str(route.get("AuthorizerId")))
            if authorizer is None:
                raise RouteFailed(500, "Internal server error")
            connection.authorizer = await self._function(occasion, request, authorizer)

    def _signer(
        self, connection: Connection, request: HttpRequest, *, guest: bool
    ) -> Mapping[str, Any]:
        api = connection.api
        try:
            caller = self._authenticator.authenticate_signed(
                request, service="execute-api", region=api.region, guest=guest
            )
        except SignatureRefused as refused:
            raise RouteFailed(403, "Forbidden") from refused
        if caller.account_id != api.account_id:
            raise RouteFailed(403, "Forbidden")
        return {name: each for name, each in event_identity(caller).items() if each is not None}

    async def _function(
        self, occasion: Occasion, request: HttpRequest, authorizer: Document
    ) -> Mapping[str, Any]:
        if any(
            not _source(occasion, request, str(each))
            for each in authorizer.get("IdentitySource") or ()
        ):
            raise RouteFailed(401, "Unauthorized")
        connection, arn = occasion.connection, occasion.source_arn
        event = authorizer_event(request, connection, occasion.context, arn)
        try:
            payload = await self._functions.call(
                FunctionCall(
                    uri=str(authorizer["AuthorizerUri"]),
                    source_arn=f"{connection.api.execute_arn}/authorizers/"
                    f"{authorizer['AuthorizerId']}",
                    account_id=connection.api.account_id,
                    request_id=connection.arrival.request_id,
                    payload=json.dumps(event, separators=(",", ":")).encode(),
                    trace_header=connection.arrival.trace_header,
                    limit_s=_LIMIT_S,
                )
            )
            result = parse_result(payload)
        except (CallFailed, InvalidResult) as error:
            raise RouteFailed(500, "Internal server error") from error
        conditions = {"aws:SourceIp": connection.arrival.source_ip}
        if result.decide(arn, conditions) is not Decision.ALLOWED:
            raise RouteFailed(403, "Forbidden")
        told = {name: _text(value) for name, value in result.context.items() if value is not None}
        return {"principalId": result.principal_id, **told}


def _source(occasion: Occasion, request: HttpRequest, expression: str) -> str | None:
    """Return what `route.request.header.Auth` and the like stand for."""
    root, _, rest = expression.partition(".")
    if root == "context":
        found = occasion.context.get(rest)
        return None if found is None else str(found)
    if root == "stageVariables":
        return occasion.stage_variables.get(rest)
    kind, _, name = rest.removeprefix("request.").partition(".")
    if kind == "header":
        return request.headers.get(name.lower())
    return last_of(query_values(request.query)).get(name)


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
