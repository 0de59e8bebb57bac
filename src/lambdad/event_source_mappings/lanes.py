"""Lanes of a shard: each gathers batches of its own keys, in order, and has them delivered."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from typing import Any

from lambdad.event_source_mappings.batching import EVENT_BYTES_MAX
from lambdad.event_source_mappings.delivery import Delivery
from lambdad.event_source_mappings.shard_state import Ordered, Work
from lambdad.event_source_mappings.streams import StreamRecord
from lambdad.event_source_mappings.windows import Window


def lane_of(key: str, lanes: int) -> int:
    """Return which of so many lanes the records of a key go to."""
    return zlib.crc32(key.encode()) % lanes


class Lane:
    """Mutable: the records that wait, and whether others will come."""

    def __init__(self, work: Work, shard: Ordered) -> None:
        settings = work.mapping.settings
        self._work = work
        self._shard = shard
        self._delivery = Delivery(work, shard)
        self._size = int(settings.get("BatchSize", 100))
        self._wait_s = float(settings.get("MaximumBatchingWindowInSeconds", work.form.window_s))
        self._length_s = float(settings.get("TumblingWindowInSeconds") or 0)
        self._records: deque[StreamRecord] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._closed = False
        self.taken = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether it has enough for two batches."""
        return len(self._records) >= 2 * self._size or self._bytes >= 2 * EVENT_BYTES_MAX

    def put(self, record: StreamRecord) -> None:
        """Add a record."""
        self._records.append(record)
        self._bytes += len(record.document)
        self._changed.set()

    def close(self) -> None:
        """No others will come."""
        self._closed = True
        self._changed.set()

    async def run(self) -> None:
        """Deliver until it is closed and empty, or polling stops."""
        while not self._work.stopping.stopped:
            if not await self._first():
                return
            # What stops within a window leaves it open: the checkpoint has it.
            if not await self._delivery.deliver(await self._gather()):
                return
            window = self._shard.window
            if window is not None and window.too_large:
                if not await self._delivery.close_window(early=True):
                    return
                window.state = {}
                await self._shard.save()

    async def _first(self) -> bool:
        """Wait for a record, and for the window that it belongs to; False when none will come."""
        while not self._work.stopping.stopped:
            window = self._shard.window
            ends = window is not None and (
                (self._records and not window.takes(self._records[0]))
                or (not self._records and (self._closed or self._left_s(window) <= 0))
            )
            if window is not None and ends:
                if not await self._delivery.close_window():
                    return False
                self._shard.window = None
                await self._shard.save()
            elif self._records:
                if self._length_s and window is None:
                    self._shard.window = Window.at(self._records[0].arrived_s, self._length_s)
                return True
            elif self._closed:
                return False
            else:
                await self._change(None if window is None else self._left_s(window))
        return False

    def _left_s(self, window: Window) -> float:
        return window.end_s - self._work.clock.time()

    async def _gather(self) -> list[StreamRecord]:
        """Take a batch; wait for more as long as the mapping says."""
        deadline = self._work.clock.monotonic() + self._wait_s
        while len(self._records) < self._size and self._bytes < EVENT_BYTES_MAX:
            left_s = deadline - self._work.clock.monotonic()
            if left_s <= 0 or self._closed or self._work.stopping.stopped:
                break
            await self._change(left_s)
        window, batch, size = self._shard.window, list[StreamRecord](), 0
        while self._records and len(batch) < self._size:
            record = self._records[0]
            size += len(record.document) + 1
            if batch and (size > EVENT_BYTES_MAX or (window and not window.takes(record))):
                break
            batch.append(self._records.popleft())
            self._bytes -= len(record.document)
        self.taken.set()
        return batch

    async def _change(self, timeout_s: float | None) -> None:
        """Wait until records came, or for so long."""
        self._changed.clear()

        async def until() -> None:
            waits: list[asyncio.Task[Any]] = [asyncio.ensure_future(self._changed.wait())]
            if timeout_s is not None:
                waits.append(asyncio.ensure_future(_sleep(self._work, timeout_s)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()

        await self._work.stopping.unless_stopped(until())


async def _sleep(work: Work, seconds: float) -> None:
    await work.stopping.sleep(seconds)
