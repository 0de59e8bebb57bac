"""What stands behind a listener: who answers, and how much its connections may take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.http1 import BadHttp
from lambdad.server.budgets import Budget
from lambdad.storage.uploads import Spool

Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]
Refuse = Callable[[BadHttp, str, str], HttpResponse]
SpawnTask = Callable[[Coroutine[Any, Any, None]], None]
Receive = Callable[[str, str, Mapping[str, str]], Spool | None]
"""Told method, raw path and headers: where a body goes that is too large for memory."""
Reply = Callable[[HttpResponse | bytes], None]
"""Takes an answer, or the bytes of one that leaves the connection open."""
Quick = Callable[[HttpRequest, Reply], bool]
"""Answers a request by a call, soon or later, without a task; False when it does not."""


class Connection(Protocol):
    """One of the connections."""

    def finish(self) -> None:
        """Close when the request in hand has been answered."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Door:
    """What the connections of one listener, or of one kind of listeners, share.

    Mutable: the open connections.

    Attributes:
        quick: is asked before the handler, where it can be.

    Args:
        connections_max: at once; more are closed.
        budgets: all of them must hold.
        receive: says which bodies go into files.
    """

    def __init__(
        self,
        handler: Handler,
        refuse: Refuse,
        spawn_task: SpawnTask,
        *,
        connections_max: int,
        budgets: Sequence[Budget],
        receive: Receive | None = None,
    ) -> None:
        self.handler = handler
        self.quick: Quick | None = None
        self.refuse = refuse
        self.spawn_task = spawn_task
        self.connections: set[Connection] = set()
        self.connections_max = connections_max
        self.budgets = budgets
        self.receive = receive

    def close_idle(self) -> None:
        """Close connections without a request; the others close after their answer."""
        for connection in tuple(self.connections):
            connection.finish()

    def abort(self) -> None:
        """Close every connection at once."""
        for connection in tuple(self.connections):
            connection.abort()
