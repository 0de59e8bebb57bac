"""Brings the records of one subscriber to it: when a batch is due, and as often as it takes.

Nothing is begun while the environment is frozen. What a batch is, the buffer decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from lambdad.dataplane.telemetry_api.buffer import Buffer
from lambdad.dataplane.telemetry_api.records import logs_dropped
from lambdad.dataplane.telemetry_api.subscription import Subscription
from lambdad.dataplane.telemetry_api.transmission import NotDelivered, Transmission

_BACKOFF_FIRST_S = 0.05
_BACKOFF_MAX_S = 5.0
# A batch that is always refused must not keep back all that follow; where nobody listens, the
# records wait.
_REFUSALS_MAX = 5


class Delivery:
    """The deliverer of one subscription.

    Mutable: whether it may begin something, whether it waits for batches to be due, and whether
    all that was there is delivered.
    """

    def __init__(
        self,
        subscription: Subscription,
        buffer: Buffer,
        transmission: Transmission,
        now: Callable[[], datetime],
    ) -> None:
        self._subscription = subscription
        self._buffer = buffer
        self._transmission = transmission
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._paused = self._hurried = False
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, record: bytes) -> None:
        """Take a record for delivery."""
        if self._closed:
            return
        first = not len(self._buffer)
        self._buffer.add(record, self._loop.time())
        self._drained.clear()
        # Between the first record and the one that completes a batch nothing changes.
        due = self._buffer.due
        if first or (due is not None and due <= self._loop.time()):
            self._changed.set()

    def pause(self) -> None:
        """The environment freezes: begin nothing more."""
        self._paused = True

    def resume(self) -> None:
        """It runs again."""
        self._paused = False
        self._changed.set()

    def hurry(self) -> None:
        """It ends: deliver at once whatever comes."""
        self._hurried = True
        self.resume()

    async def drained(self) -> None:
        """Wait until all that was added is delivered or lost."""
        await self._drained.wait()

    async def run(self) -> None:
        """Deliver until :meth:`close`."""
        if self._closed:
            return
        self._task = asyncio.current_task()
        try:
            while True:
                if not len(self._buffer):
                    self._drained.set()
                await self._due()
                batch = self._buffer.take()
                try:
                    await self._deliver([*batch, *self._loss()])
                finally:
                    self._buffer.free(batch)
        except asyncio.CancelledError:
            if not self._closed:
                raise
        finally:
            self._drained.set()
            self._transmission.close()
            self._buffer.discard()

    def close(self) -> None:
        """Stop; what was not delivered is lost. May be called twice."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    async def _due(self) -> None:
        while True:
            self._changed.clear()
            due = self._buffer.due
            wait_s = None
            if due is not None and not self._paused:
                wait_s = 0.0 if self._hurried else due - self._loop.time()
                if wait_s <= 0:
                    return
            await self._change(wait_s)

    async def _change(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def _loss(self) -> list[bytes]:
        """Return the record of what was lost, which stands behind what was there before."""
        records, size = self._buffer.lost_records, self._buffer.lost_bytes
        if not records or "platform" not in self._subscription.types:
            return []
        self._buffer.lost_records = self._buffer.lost_bytes = 0
        return [logs_dropped(self._subscription, self._now(), records, size)]

    async def _deliver(self, batch: list[bytes]) -> None:
        pause_s, refusals = _BACKOFF_FIRST_S, 0
        while True:
            try:
                await self._transmission.send(batch)
            except NotDelivered as failure:
                if failure.refused:
                    refusals += 1
                    if refusals == _REFUSALS_MAX:
                        self._buffer.lose(len(batch), sum(map(len, batch)))
                        return
                if not failure.stale:
                    await self._rest(pause_s)
                    pause_s = min(pause_s * 2, _BACKOFF_MAX_S)
            else:
                return

    async def _rest(self, pause_s: float) -> None:
        """Wait, and longer while the environment is frozen."""
        end = self._loop.time() + pause_s
        while (left_s := end - self._loop.time()) > 0 or self._paused:
            self._changed.clear()
            await self._change(None if self._paused else left_s)
            if self._hurried:
                # Not without a breath: whoever does not listen would be asked without end.
                await asyncio.sleep(_BACKOFF_FIRST_S)
                return
