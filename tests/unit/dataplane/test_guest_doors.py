"""Doors that are closed while they are being opened are closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from lambdad.dataplane.guest_apis import GuestApis
from lambdad.dataplane.guest_doors import GuestDoors
from lambdad.dataplane.host import EnvironmentHost
from lambdad.domain.environments import RUNTIME_API_PORT
from lambdad.sandbox.base import Sandbox


class Endpoint:
    """Takes its time to be served, and counts how often it is ended."""

    def __init__(self) -> None:
        self.asked, self.served = asyncio.Event(), asyncio.Event()
        self.ended = 0

    async def serve_endpoint(self, sandbox: Sandbox) -> Callable[[], None]:
        self.asked.set()
        await self.served.wait()
        return self.end

    def end(self) -> None:
        self.ended += 1


async def test_an_endpoint_that_is_served_too_late_is_ended() -> None:
    endpoint = Endpoint()
    doors = GuestDoors(cast("EnvironmentHost", endpoint), lambda: cast("GuestApis", None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listeners = {RUNTIME_API_PORT: SimpleNamespace(socket=listener)}
        opening = asyncio.ensure_future(
            doors.open(cast("Sandbox", SimpleNamespace(listeners=listeners)))
        )
        await endpoint.asked.wait()
        doors.close()
        endpoint.served.set()
        await opening
    assert endpoint.ended == 1
