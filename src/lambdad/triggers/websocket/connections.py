"""The WebSocket connections there are, and when each has been there long enough."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lambdad.domain.clock import Clock
from lambdad.triggers.http_api.model import Api
from lambdad.triggers.http_events import Arrival
from lambdad.triggers.websocket.socket import GOING_AWAY, Socket

IDLE_S = 600.0
LIFE_S = 7_200.0
_ID = re.compile(r"[A-Za-z0-9_-]{15}=")


def new_id() -> str:
    """Return an identifier of the form that API Gateway's have: 16 characters, the last one `=`."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()


def is_id(text: str) -> bool:
    """Whether something has the form of an identifier."""
    return _ID.fullmatch(text) is not None


@dataclass(eq=False, slots=True, kw_only=True)
class Connection:
    """One connection. Mutable: when there was something on it last.

    Attributes:
        arrival: of its handshake.
        connected_at: as events tell; `begun_s` is the same by the monotonic clock.
        authorizer: what its authorizer said, as events have it.
    """

    id: str
    api: Api
    stage: str
    arrival: Arrival
    user_agent: str
    connected_at: datetime
    begun_s: float
    active_s: float
    active_at: datetime
    authorizer: Mapping[str, Any] | None = None
    socket: Socket | None = None


@dataclass(slots=True)
class Connections:
    """All that are open, by identifier. Mutable."""

    clock: Clock
    _open: dict[str, Connection] = field(default_factory=dict)

    def add(self, connection: Connection) -> None:
        """Note a connection that is open."""
        self._open[connection.id] = connection

    def remove(self, connection: Connection) -> None:
        """It is over."""
        self._open.pop(connection.id, None)

    def find(self, connection_id: str) -> Connection | None:
        """Return an open connection."""
        return self._open.get(connection_id)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def touch(self, connection: Connection) -> None:
        """There was something on it."""
        connection.active_s = self.clock.monotonic()
        connection.active_at = self.clock.now()

    def expire(self) -> None:
        """Close those that were idle for ten minutes or open for two hours."""
        now = self.clock.monotonic()
        for connection in self:
            if connection.socket is None:
                continue
            if now - connection.active_s >= IDLE_S or now - connection.begun_s >= LIFE_S:
                connection.socket.close(GOING_AWAY, "Going away")
