"""What becomes of a connection's messages, and of its end."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from lambdad.triggers.websocket.connections import Connection, Connections
from lambdad.triggers.websocket.events import context_of, disconnect_event, message_event
from lambdad.triggers.websocket.integrations import Integrations, Occasion, RouteFailed
from lambdad.triggers.websocket.selection import DISCONNECT, route_by_key, route_of_message
from lambdad.triggers.websocket.socket import BufferFull

_FULL = 1008
_REASONS = {
    1001: "Going away",
    1005: "Client-side close frame status not set",
    1006: "Connection closed abnormally",
}


class Session:
    """One connection from its first message to its end. See `socket.Peer`."""

    def __init__(
        self,
        connection: Connection,
        *,
        connections: Connections,
        integrations: Integrations,
        request_ids: Iterator[str],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._connection = connection
        self._connections = connections
        self._integrations = integrations
        self._request_ids = request_ids
        self._spawn = spawn

    def opened(self) -> None:
        """From now on it can be sent to."""
        self._connections.add(self._connection)

    def heard(self) -> None:
        """It is not idle."""
        self._connections.touch(self._connection)

    def message(self, text: str, done: Callable[[], None]) -> None:
        """Take the message's route in the background."""
        self._spawn(self._answered(text, done))

    def closed(self, code: int, reason: str) -> None:
        """Take the route for the end of a connection, if there is one."""
        self._connections.remove(self._connection)
        self._spawn(self._end(code, reason or _REASONS.get(code, "")))

    async def _answered(self, text: str, done: Callable[[], None]) -> None:
        request_id = next(self._request_ids)
        try:
            reply = await self._reply(text, request_id)
        except RouteFailed as failed:
            told = {"message": failed.message, "connectionId": self._connection.id}
            reply = json.dumps({**told, "requestId": request_id}).encode()
        finally:
            done()
        if reply is not None:
            self._send(reply)

    def _send(self, data: bytes) -> None:
        socket = self._connection.socket
        if socket is None:
            return
        try:
            socket.send(data)
        except BufferFull:
            socket.close(_FULL, "The client does not read")

    async def _reply(self, text: str, request_id: str) -> bytes | None:
        """Return what a message is answered with, if its route answers.

        Raises:
            RouteFailed: it cannot be answered.
        """
        connection = self._connection
        api = connection.api
        if connection.stage not in api.parts["stage"]:
            raise RouteFailed(403, "Forbidden")
        served = api.served(connection.stage)
        expression = str(api.document["RouteSelectionExpression"])
        route = route_of_message(served["route"].values(), expression, text)
        if route is None:
            raise RouteFailed(403, "Forbidden")
        context = context_of(
            connection,
            route_key=str(route["RouteKey"]),
            kind="MESSAGE",
            request_id=request_id,
            moment=self._connections.clock.now(),
        )
        context["messageId"] = base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
        event = message_event(connection, context, text)
        reply = await self._integrations.answer(
            Occasion(connection=connection, route=route, served=served, event=event, text=text)
        )
        route_id = route["RouteId"]
        answers = route.get("RouteResponseSelectionExpression") and any(
            key.startswith(f"{route_id}/") for key in served["routeresponse"]
        )
        return reply.body if answers and reply.body else None

    async def _end(self, code: int, reason: str) -> None:
        connection = self._connection
        if connection.stage not in connection.api.parts["stage"]:
            return
        served = connection.api.served(connection.stage)
        route = route_by_key(served["route"].values(), DISCONNECT)
        if route is None:
            return
        context = context_of(
            connection,
            route_key=DISCONNECT,
            kind="DISCONNECT",
            request_id=next(self._request_ids),
            moment=self._connections.clock.now(),
        )
        event = disconnect_event(connection, context, code, reason)
        occasion = Occasion(connection=connection, route=route, served=served, event=event)
        try:
            await self._integrations.answer(occasion)
        except RouteFailed:
            return  # Nobody is left to be told.
