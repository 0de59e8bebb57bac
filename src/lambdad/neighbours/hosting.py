"""How a service of lambdad's own makes is defined, what it gets, and when it is opened.

A service is a package `lambdad.neighbours.<name>` that exports `NEIGHBOUR`. It is imported and
opened when somebody first calls it, so that a daemon pays for what is used; one that has work
without being called is opened with the daemon once it has been used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Service
from lambdad.config.sections import CloudFormationConfig, OutgoingConfig
from lambdad.domain.clock import Clock
from lambdad.neighbours.pushing import FunctionPush
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.storage.database import Database

SpawnTask = Callable[[Coroutine[Any, Any, None]], None]


class Parts(Protocol):
    """What a service's operations call, from when it was opened until it is closed."""

    def drain(self) -> None:
        """Let nobody wait any longer: the daemon is about to stop."""
        ...

    async def close(self) -> None:
        """Finish what was begun and close the database."""
        ...


P = TypeVar("P", bound=Parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a service is made with.

    Attributes:
        directory: for files of its own; made by the service if it needs it.
        database: makes its database.
        spawn: owner of its background tasks.
        functions: the way of events to functions.
        neighbour: parts of another service by its name, opened if need be; it fails if that
            service is not lambdad's own here, so whoever can should use the AWS API instead.
        endpoint_url: lambdad's own AWS endpoint, `http://127.0.0.1:4566`.
        access_key: an account's access key id and secret for that endpoint.
        stacks: what the configuration says of CloudFormation.
        outgoing: which web servers may be sent to.
    """

    directory: Path
    database: Callable[[], Database]
    clock: Clock
    spawn: SpawnTask
    functions: FunctionPush
    neighbour: Callable[[str], Awaitable[Any]]
    endpoint_url: str
    access_key: Callable[[str], tuple[str, str]]
    stacks: CloudFormationConfig = field(default_factory=CloudFormationConfig)
    outgoing: OutgoingConfig = field(default_factory=OutgoingConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour(Generic[P]):
    """A service as its package defines it.

    Attributes:
        open: makes its parts.
        eager: it has work to do without being called, a schedule for example.
        rewrite: changes a request before it is routed, such as a bucket in the host's name.
        handle: answers requests, where there is more to it than operations of the model.
    """

    service: Service[P]
    open: Callable[[Setup], Awaitable[P]]
    eager: bool = False
    rewrite: Callable[[HttpRequest], HttpRequest] | None = None
    handle: Callable[[HttpRequest, ServiceContext[P]], Awaitable[HttpResponse]] | None = None


class Hosted:
    """One service of ours in this daemon. Mutable: its parts, once somebody needs them."""

    def __init__(self, name: str, setup: Setup) -> None:
        self._name = name
        self._setup = setup
        self._lock = asyncio.Lock()
        self._neighbour: Neighbour[Any] | None = None
        # What was opened.
        self.parts: Parts | None = None
        self._closed = False
        # Told of the parts as soon as they are there.
        self.when_opened: Callable[[Any], None] | None = None

    async def opened(self) -> tuple[Neighbour[Any], Parts]:
        """Return definition and parts, importing and opening the service the first time.

        Raises:
            HostUnfit: its database cannot be used; the next call tries again.
        """
        if self._neighbour is not None and self.parts is not None:
            return self._neighbour, self.parts
        async with self._lock:
            if self._closed:
                raise asyncio.CancelledError
            if self._neighbour is None:
                # Reading a big service model takes a while.
                self._neighbour = await asyncio.to_thread(load, self._name)
            if self.parts is None:
                self.parts = await self._neighbour.open(self._setup)
                if self.when_opened is not None:
                    self.when_opened(self.parts)
            return self._neighbour, self.parts

    async def start(self) -> None:
        """Open it now if it has work and has been used before."""
        if self._setup.directory.exists():
            neighbour = await asyncio.to_thread(load, self._name)
            if neighbour.eager:
                await self.opened()

    def drain(self) -> None:
        """Let nobody wait any longer."""
        if self.parts is not None:
            self.parts.drain()

    async def close(self) -> None:
        """Close what was opened."""
        async with self._lock:
            self._closed = True
            if self.parts is not None:
                await self.parts.close()


def load(name: str) -> Neighbour[Any]:
    """Import a service's package."""
    module = import_module(f"lambdad.neighbours.{name}")
    return cast("Neighbour[Any]", module.NEIGHBOUR)
