"""A neighbouring service by itself, on a database of its own, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.pushing import EventSource, PushRefused
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

P = TypeVar("P")


class RecordedPushes:
    """Functions that take every event; see `FunctionPush`. `pushed` has ARN and payload.

    Attributes:
        refuse: raised instead, while there is one.
    """

    def __init__(self) -> None:
        self.pushed: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.refuse: list[Exception] = []

    def check(self, function_arn: str, source: EventSource) -> None:
        """Every function may be pushed to."""

    async def push(
        self,
        function_arn: str,
        payload: bytes,
        source: EventSource | None,
        *,
        trace: str | None = None,
    ) -> str:
        """Remember it."""
        if self.refuse:
            raise self.refuse.pop(0)
        self.pushed.put_nowait((function_arn, payload.decode()))
        return "request"

    async def next(self) -> tuple[str, str]:
        """ARN and payload of the next event."""
        async with asyncio.timeout(30):
            return await self.pushed.get()


REFUSED = PushRefused("NO_PERMISSIONS", "no")


@asynccontextmanager
async def running(
    name: str,
    open_: Callable[[Setup], Awaitable[P]],
    directory: Path,
    *,
    clock: FakeClock,
    functions: RecordedPushes,
) -> AsyncIterator[P]:
    """Open a service on the database in a directory; close it at the end."""

    async def nobody(name: str) -> Any:
        raise HostUnfit(f"{name} is not served here.", "Nothing to do in a test.")

    store = engine("sqlite")(directory, clock)
    await store.open()
    async with asyncio.TaskGroup() as tasks:
        setup = Setup(
            directory=directory,
            database=partial(store.database, name),
            clock=clock,
            spawn=lambda coroutine: _forget(tasks.create_task(coroutine)),
            functions=functions,
            neighbour=nobody,
            endpoint_url="http://127.0.0.1:1",
            access_key=lambda account_id: (account_id, "secret"),
        )
        parts: Any = await open_(setup)
        try:
            yield parts
        finally:
            await parts.close()
    await store.close()


def _forget(task: asyncio.Task[None]) -> None:
    """The group holds it."""
