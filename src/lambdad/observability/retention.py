"""Removes log events that are older than their group keeps them."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from lambdad.domain.clock import Clock

_LOGGER = logging.getLogger(__name__)

INTERVAL_S = 3_600.0


class LogExpirer(Protocol):
    """The part of the log store that is needed here."""

    async def expire(self, now_ms: int) -> int:
        """Delete events older than their group's retention; returns how many."""
        ...


class LogRetention:
    """Asks the store to expire events, now and then."""

    def __init__(self, store: LogExpirer, clock: Clock, *, interval_s: float = INTERVAL_S) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s

    async def run(self) -> None:
        """Expire at once and every interval, until cancelled; a failing store is tried again."""
        while True:
            await self.expire()
            await asyncio.sleep(self._interval_s)

    async def expire(self) -> int:
        """Expire once and return how many events went; 0 when the store failed, which is logged."""
        try:
            expired = await self._store.expire(int(self._clock.time() * 1000))
        except Exception:
            _LOGGER.exception("expired log events could not be removed")
            return 0
        if expired:
            _LOGGER.info("removed %d expired log events", expired)
        return expired
