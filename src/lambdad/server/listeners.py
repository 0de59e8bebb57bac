"""Where lambdad accepts connections: its own port, and one listener inside each sandbox."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lambdad.sandbox.base import Listener
from lambdad.server.budgets import Budget
from lambdad.server.connections import ClientConnection
from lambdad.server.doors import Door, Handler, Receive, SpawnTask

if TYPE_CHECKING:
    from lambdad.server.site import Site

_CONNECTIONS_MAX = 10_000
_BUFFERED_MAX = 1024 * 1024 * 1024
# SECURITY: a function shares the daemon's memory with everybody else while it sends a request.
_GUEST_CONNECTIONS_MAX = 64
_GUEST_BUFFERED_MAX = 96 * 1024 * 1024
_GUESTS_BUFFERED_MAX = 256 * 1024 * 1024


def bind(host: str, port: int) -> socket.socket:
    """Return the daemon's listening socket.

    Raises:
        OSError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


class Listeners:
    """Everything that accepts connections. Mutable: its servers."""

    def __init__(
        self,
        site: Site,
        spawn_task: SpawnTask,
        receive: Receive | None = None,
    ) -> None:
        self._site = site
        self._receive = receive
        self._spawn_task = spawn_task
        self._budget = Budget(_BUFFERED_MAX)
        self._door = self._new_door(site.handle, _CONNECTIONS_MAX, self._budget)
        self._door.quick = site.quick
        self._others: list[tuple[asyncio.Server, Door]] = []
        self._guests = Budget(_GUESTS_BUFFERED_MAX)
        self._server: asyncio.Server | None = None

    async def open(self, listener: socket.socket) -> None:
        """Accept on the daemon's port."""
        loop = asyncio.get_running_loop()
        connection = partial(ClientConnection, self._door)
        self._server = await loop.create_server(connection, sock=listener, backlog=1024)

    async def serve_also(self, listener: socket.socket, handler: Handler) -> None:
        """Accept on a port of its own, whose requests `handler` answers."""
        door = self._new_door(handler, _CONNECTIONS_MAX, self._budget)
        loop = asyncio.get_running_loop()
        connection = partial(ClientConnection, door)
        server = await loop.create_server(connection, sock=listener, backlog=1024)
        self._others.append((server, door))

    async def serve_guest(self, listener: Listener) -> Callable[[], None]:
        """Serve the AWS endpoint inside a sandbox; the result ends it."""
        own = Budget(_GUEST_BUFFERED_MAX)
        door = self._new_door(self._site.handle_guest, _GUEST_CONNECTIONS_MAX, own, self._guests)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(partial(ClientConnection, door), sock=listener.socket)

        def close() -> None:
            server.close()
            door.abort()

        return close

    def drain(self) -> None:
        """Accept nothing more; answer what is in hand."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._door.close_idle()
        for server, door in self._others:
            server.close()
            door.close_idle()

    def close(self) -> None:
        """Close every connection at once."""
        self.drain()
        self._door.abort()
        for _, door in self._others:
            door.abort()

    def _new_door(self, handler: Handler, connections_max: int, *budgets: Budget) -> Door:
        return Door(
            handler,
            self._site.refuse,
            self._spawn_task,
            connections_max=connections_max,
            budgets=budgets,
            receive=self._receive,
        )
