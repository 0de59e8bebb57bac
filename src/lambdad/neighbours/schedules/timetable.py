"""What is due next, of many things, and one timer for all of them.

Knows keys and times, nothing of what fires. Mutable: the times, on the event loop alone.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable

from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.neighbours.hosting import SpawnTask

_LOGGER = logging.getLogger(__name__)
_TROUBLE_S = 5.0
# A clock that is set is noticed after so long.
_LOOK_S = 300.0


class Timetable:
    """See the module."""

    def __init__(self, fire: Callable[[str], Awaitable[None]], clock: Clock) -> None:
        """`fire` does what is due for a key; it sets when that is due again."""
        self._fire = fire
        self._clock = clock
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._woken = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.Event()
        self._ended.set()

    def set(self, key: str, due_s: float | None) -> None:
        """Something is due then, in epoch seconds, or never."""
        if due_s is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due_s:
            self._due[key] = due_s
            heapq.heappush(self._heap, (due_s, key))
            self._woken.set()

    def due(self, key: str) -> float | None:
        """When something is due, in epoch seconds."""
        return self._due.get(key)

    def start(self, spawn: SpawnTask) -> None:
        """Begin to fire."""
        self._ended.clear()
        spawn(self._run())

    async def close(self) -> None:
        """Fire no more."""
        self._stopping = True
        self._woken.set()
        await self._ended.wait()

    async def fire_due(self) -> float:
        """Fire what is due; returns in how many seconds to look again."""
        while self._heap and not self._stopping:
            due_s, key = self._heap[0]
            if self._due.get(key) != due_s:
                heapq.heappop(self._heap)
                continue
            left_s = due_s - self._clock.time()
            if left_s > 0:
                return min(left_s, _LOOK_S)
            heapq.heappop(self._heap)
            del self._due[key]
            try:
                await self._fire(key)
            except PlatformError:
                _LOGGER.exception("%s is due and could not be fired", key)
                self.set(key, due_s)
                return _TROUBLE_S
        return _LOOK_S

    async def _run(self) -> None:
        try:
            while not self._stopping:
                self._woken.clear()
                wait_s = await self.fire_due()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            self._ended.set()
