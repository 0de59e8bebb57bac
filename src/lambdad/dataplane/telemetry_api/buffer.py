"""Records that wait for their subscriber: bounded, batched, and counted when lost. Pure.

Times are seconds of any one clock.
"""

from __future__ import annotations

from collections import deque

from lambdad.dataplane.telemetry_api.subscription import Buffering

# So that a burst which the event loop reads at once does not count as a slow consumer.
_BATCHES_HELD = 4
# What the interpreter needs for a record beyond its bytes, so that tiny ones are bounded too.
_RECORD_OVERHEAD = 64


class Allowance:
    """Memory that all subscribers of one environment share. Mutable: how much is in use."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> bool:
        """Whether there is that much left; it is in use then."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give(self, size: int) -> None:
        """That much is no longer in use."""
        self._left += size


class Buffer:
    """The records of one subscriber. Mutable: those that wait, and what was lost since."""

    def __init__(self, buffering: Buffering, allowance: Allowance) -> None:
        self._buffering = buffering
        self._allowance = allowance
        self._records: deque[tuple[bytes, float]] = deque()
        self._bytes = 0
        self.lost_records = 0
        self.lost_bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: bytes, now: float) -> None:
        """Keep a record, or count it as lost when there is no room."""
        held = self._bytes + len(record) <= _BATCHES_HELD * self._buffering.max_bytes
        room = held and len(self._records) < _BATCHES_HELD * self._buffering.max_items
        if not room or not self._allowance.take(len(record) + _RECORD_OVERHEAD):
            self.lose(1, len(record))
            return
        self._records.append((record, now))
        self._bytes += len(record)

    def lose(self, records: int, size: int) -> None:
        """Count what could not be delivered."""
        self.lost_records += records
        self.lost_bytes += size

    @property
    def due(self) -> float | None:
        """When the next batch is to be sent; None when nothing waits."""
        if not self._records:
            return None
        if self._complete:
            return float("-inf")
        return self._records[0][1] + self._buffering.timeout_ms / 1000

    @property
    def _complete(self) -> bool:
        return (
            self._bytes >= self._buffering.max_bytes
            or len(self._records) >= self._buffering.max_items
        )

    def take(self) -> list[bytes]:
        """Remove and return the next batch, of one record at least if there is one.

        Its memory stays accounted for until :meth:`free`.
        """
        batch: list[bytes] = []
        size = 0
        while self._records and len(batch) < self._buffering.max_items:
            if batch and size + len(self._records[0][0]) > self._buffering.max_bytes:
                break
            record, _ = self._records.popleft()
            batch.append(record)
            size += len(record)
        self._bytes -= size
        return batch

    def free(self, batch: list[bytes]) -> None:
        """A batch of :meth:`take` is done with."""
        self._allowance.give(sum(len(record) + _RECORD_OVERHEAD for record in batch))

    def discard(self) -> None:
        """Forget what waits: nobody is there to take it any more."""
        while self._records:
            self.free(self.take())
