"""Pauses and requests that end at once when a poller is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from lambdad.event_source_mappings.base import Sleep

T = TypeVar("T")


class Stopping:
    """Whether a poller is to stop. Mutable: that, and what waits for it."""

    def __init__(self, sleep: Sleep) -> None:
        self.sleep = sleep
        self._stopped = False
        self._waiting: set[asyncio.Task[Any]] = set()

    @property
    def stopped(self) -> bool:
        """Whether it is."""
        return self._stopped

    def stop(self) -> None:
        """Begin to stop."""
        self._stopped = True
        for task in self._waiting:
            task.cancel()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what the work comes to; None, and the work cancelled, when it is to stop."""
        if self._stopped:
            work.close()
            return None
        task = asyncio.ensure_future(work)
        self._waiting.add(task)
        try:
            await asyncio.wait({task})
        finally:
            self._waiting.discard(task)
            task.cancel()
        return None if task.cancelled() else task.result()

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than until it is to stop."""

        async def wait() -> None:
            await self.sleep(seconds)

        await self.unless_stopped(wait())
