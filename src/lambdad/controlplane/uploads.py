"""Packages between their storing and their first use, when nothing refers to them yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Uploads:
    """Mutable state: how many uploads are under way."""

    def __init__(self) -> None:
        self._collecting = asyncio.Lock()
        self._pending = 0

    @asynccontextmanager
    async def pending(self) -> AsyncIterator[None]:
        """Keep packages from being collected, those stored and those found, until they are used."""
        async with self._collecting:
            self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    async def collect(self, collect: Callable[[], Awaitable[int]]) -> int:
        """Collect packages, unless uploads go on: then nothing is done, and the answer is 0."""
        async with self._collecting:
            return 0 if self._pending else await collect()
