"""Functions with extensions for tests on fake sandboxes."""

from __future__ import annotations

import asyncio
from typing import Any

from lambdad.domain.functions import Code
from lambdad.testing.sandbox import FakeExtension, FakeGuest

LAYER = Code(sha256="x=", size_bytes=1, digest="1" * 64)


async def echo(guest: FakeGuest) -> None:
    """A runtime that answers with what it gets, and prints it."""
    while True:
        request_id, payload = await guest.next()
        guest.print(f"got {payload.decode()}")
        await guest.respond(request_id, payload)


class Watcher:
    """An extension that takes events until it is shut down.

    Attributes:
        seen: the events.
        registration: status and document.
        environment: its variables.
        gate: while it is not set, the extension is at work on its last event.
    """

    def __init__(self, *events: str) -> None:
        self._subscribed = events or ("INVOKE", "SHUTDOWN")
        self.seen: list[dict[str, Any]] = []
        self.registration: Any = None
        self.environment: dict[str, str] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, guest: FakeGuest) -> None:
        """Run, as a program of a sandbox."""
        extension = FakeExtension(guest)
        self.environment = dict(guest.environment)
        self.registration = await extension.register(*self._subscribed)
        guest.print("extension starts")
        while True:
            event = await extension.next()
            self.seen.append(event)
            if event["eventType"] == "SHUTDOWN":
                guest.print("extension ends")
                return
            await self.gate.wait()

    @property
    def kinds(self) -> list[str]:
        """The types of the events."""
        return [event["eventType"] for event in self.seen]
