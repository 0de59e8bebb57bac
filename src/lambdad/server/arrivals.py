"""Wakes the pollers of streams that lambdad serves itself; see `streams.Wake`.

Where somebody else serves them, a poller asks again after its pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lambdad.domain.errors import LambdadError

Parts = Callable[[str], Awaitable[Any]]
_NOTHING_SEEN = -1


class KinesisArrivals:
    """Of a Kinesis stream."""

    def __init__(self, parts: Parts) -> None:
        """`parts` returns those of a neighbour by its name."""
        self._parts = parts

    def mark(self) -> int:
        """See `streams.Wake`; the iterator says it all."""
        return 0

    async def wait(self, iterator: str, mark: int, seconds: float) -> None:
        """See `streams.Wake`."""
        try:
            streams = await self._parts("kinesis")
            await streams.log.arrival(iterator, seconds)
        except LambdadError:
            # Served elsewhere, expired or gone: reading will tell.
            await asyncio.sleep(seconds)


class TableArrivals:
    """Of the stream of a DynamoDB table. Mutable: the table's changes, once they are known."""

    def __init__(self, parts: Parts, arn: str) -> None:
        """`parts` returns those of a neighbour by its name."""
        self._parts = parts
        self._arn = arn
        self._changes: Any = None

    def mark(self) -> int:
        """See `streams.Wake`."""
        return _NOTHING_SEEN if self._changes is None else int(self._changes.seen(self._arn))

    async def wait(self, iterator: str, mark: int, seconds: float) -> None:
        """See `streams.Wake`."""
        if self._changes is None or mark == _NOTHING_SEEN:
            await self._find()
            await asyncio.sleep(seconds)
            return
        await self._changes.wait(self._arn, mark, seconds)

    async def _find(self) -> None:
        try:
            self._changes = (await self._parts("dynamodb")).changes
        except LambdadError:
            self._changes = None
