"""Wakes whoever waits for records of a stream: the signal for pollers in this process."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class Changes:
    """Mutable: who waits, by stream's ARN. Belongs to the event loop."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._counts: defaultdict[str, int] = defaultdict(int)

    def seen(self, arn: str) -> int:
        """Return how often the stream had records since the start; give it to :meth:`wait`."""
        return self._counts[arn]

    async def wait(self, arn: str, seen: int, timeout_s: float) -> bool:
        """Wait for records that came after `seen`; whether there were any in time.

        Take `seen` before asking for records, so that none comes between unnoticed:

            seen = changes.seen(arn)
            records = await ...get_records...
            if not records:
                await changes.wait(arn, seen, timeout_s=60.0)
        """
        if self._counts[arn] != seen:
            return True
        event = asyncio.Event()
        self._waiting[arn].add(event)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting[arn].discard(event)
        return self._counts[arn] != seen

    def signal(self, arn: str) -> None:
        """Say that a stream has further records, or was closed."""
        self._counts[arn] += 1
        self._wake(arn)

    def drain(self) -> None:
        """Let nobody wait any longer."""
        for arn in list(self._waiting):
            self._wake(arn)

    def _wake(self, arn: str) -> None:
        for event in self._waiting.pop(arn, ()):
            event.set()
