"""Brings log events to the store, behind the invocations that write them.

Decides when events are written together, when their writers must wait, and which are lost when
the store fails. What an event says, and how it is stored, is not known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lambdad.config.sections import LogsConfig
from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.domain.logs import LogBatches, LogGroupKey, LogSegment
from lambdad.observability.lines import split_event

_LOGGER = logging.getLogger(__name__)

# What an event costs in memory beside its text, so that floods of empty lines count too.
_EVENT_OVERHEAD_BYTES = 128
# One transaction: large enough to share its fsync, small enough not to hold the writer's thread.
_BATCH_BYTES = 1024 * 1024
# What a stream has before it is cut: what is not cut is not counted.
_PIECE_BYTES = 64 * 1024
_RETRY_S = 1.0
# Characters of a message that needs not be cut.
_SURELY_WHOLE = 4_096
# Streams whose losses are counted one by one while the store fails.
_LOSSES_MAX = 1_024


class LogAppender(Protocol):
    """The part of the log store that is needed here."""

    async def append(self, batches: LogBatches) -> None:
        """Store events durably; missing groups and streams are made."""
        ...


class LogsNotStored(PlatformError):
    """The store refused events that somebody waits for; they are kept for the next try."""


@dataclass(slots=True)
class Pending:
    """Events of one stream on their way to the store, and what they count for, in bytes."""

    group: LogGroupKey
    segment: LogSegment
    size: int

    def drop_oldest(self, size: int) -> tuple[int, int]:
        """Forget events until so many bytes are free; returns how many, and their characters."""
        messages = self.segment.messages
        count = freed = 0
        while count < len(messages) and freed < size:
            freed += _size(messages[count])
            count += 1
        characters = sum(map(len, messages[:count]))
        del messages[:count], self.segment.times_ms[:count]
        self.size -= freed
        return count, characters


class LogStreamWriter:
    """Takes the events of one stream of a group.

    Mutable: those that are not on their way to the store, and whether they are asked for.
    """

    __slots__ = ("_fill", "_group", "_messages", "_name", "_open", "_size", "_times_ms", "_writer")

    def __init__(
        self, writer: LogWriter, group: LogGroupKey, name: str, fill: Callable[[], None]
    ) -> None:
        """`fill` is called before the stream is cut, to write what there is to write yet."""
        self._writer = writer
        self._group = group
        self._name = name
        self._fill = fill
        self._times_ms: list[int] = []
        self._messages: list[str] = []
        self._size = 0
        self._open = False

    @property
    def open(self) -> bool:
        """Whether it takes events; it will be cut before long."""
        if not self._open:
            self._open = self._writer.opened(self)
        return self._open

    def write(self, timestamp_ms: int, message: str) -> None:
        """Take an event. Never blocks, never raises; costs a fraction of a microsecond."""
        size = len(message) + _EVENT_OVERHEAD_BYTES
        if size > _SURELY_WHOLE or not message.isascii():
            for piece in split_event(message.encode("utf-8", "replace").decode()):
                self._take([timestamp_ms], [piece], _size(piece))
        elif message:
            self._take([timestamp_ms], [message], size)

    def write_lines(self, times_ms: Sequence[int], lines: Sequence[str]) -> None:
        """Take events of the platform, which are short and plain."""
        self._take(times_ms, lines, sum(map(len, lines)) + len(lines) * _EVENT_OVERHEAD_BYTES)

    def _take(self, times_ms: Sequence[int], messages: Sequence[str], size: int) -> None:
        if self._open or self.open:
            self._times_ms += times_ms
            self._messages += messages
            self._size += size
            if self._size >= _PIECE_BYTES:
                self._writer.grown(self)

    def cut(self) -> Pending | None:
        """Give away what was taken, if anything was."""
        self._fill()
        self._open = False
        if not self._messages:
            return None
        segment = LogSegment(self._name, self._times_ms, self._messages)
        pending = Pending(self._group, segment, self._size)
        self._times_ms, self._messages, self._size = [], [], 0
        return pending


class LogWriter:
    """Takes events at once and stores them in batches.

    Mutable: the streams that have taken events; the segments that were cut of them and are not
    stored yet, oldest first, with their size; how many segments there ever were and how many of
    these are settled (stored or dropped); whether the store fails, and what was dropped.
    """

    def __init__(self, store: LogAppender, clock: Clock, config: LogsConfig) -> None:
        self.dropped_events = 0
        self._store = store
        self._clock = clock
        self._interval_s = config.flush_interval_s
        self._buffer_bytes = config.buffer_bytes
        self._open: dict[LogStreamWriter, None] = {}
        self._pending: deque[Pending] = deque()
        self._bytes = 0
        self._cut = 0
        self._settled = 0
        self._failing = False
        self._losses: dict[tuple[LogGroupKey, str], list[int]] = {}
        self._closed = False
        self._storing = asyncio.Lock()
        self._some = asyncio.Event()
        self._due = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def stream(
        self, group: LogGroupKey, name: str, fill: Callable[[], None] = lambda: None
    ) -> LogStreamWriter:
        """Return who takes the events of a stream; each keeps the order of its own.

        `fill` is called before these are stored, to write what was put off.
        """
        return LogStreamWriter(self, group, name, fill)

    def opened(self, stream: LogStreamWriter) -> bool:
        """A stream has something, or will, since it was cut; False if it may have nothing."""
        if self._closed:
            return False
        self._open[stream] = None
        self._some.set()
        return True

    def grown(self, stream: LogStreamWriter) -> None:
        """A stream has taken much."""
        self._open.pop(stream, None)
        self._cut_off(stream)
        self._bound()

    def _gather(self) -> None:
        """Cut all streams."""
        opened, self._open = self._open, {}
        for stream in opened:
            self._cut_off(stream)
        self._bound()

    def _cut_off(self, stream: LogStreamWriter) -> None:
        pending = stream.cut()
        if pending is not None:
            self._pending.append(pending)
            self._bytes += pending.size
            self._cut += 1

    def _bound(self) -> None:
        """See how much there is."""
        if self._bytes >= _BATCH_BYTES:
            self._due.set()
        if self._bytes > self._buffer_bytes:
            # A store that fails makes nobody wait: functions go on and old events are lost.
            if not self._failing:
                self._room.clear()
            limit = self._buffer_bytes if self._failing else 2 * self._buffer_bytes
            if self._bytes > limit:
                self._drop_oldest(limit * 7 // 8)

    @property
    def congested(self) -> bool:
        """Whether who reads from functions should stop until :meth:`uncongested` returns."""
        return not self._room.is_set()

    async def uncongested(self) -> None:
        """Wait until there is room again."""
        await self._room.wait()

    async def run(self) -> None:
        """Store what is written until :meth:`close`; failures of the store are retried."""
        while not self._closed:
            await self._some.wait()
            await self._pause(self._interval_s)
            self._gather()
            while self._pending and not self._closed:
                if not await self._store_batch():
                    await self._pause(_RETRY_S)
                    self._gather()

    async def flush(self) -> None:
        """Return when everything written so far is stored.

        Raises:
            LogsNotStored: the store fails; the events are still waiting.
        """
        self._gather()
        target = self._cut
        while self._settled < target:
            if not await self._store_batch():
                events = sum(len(each.segment.messages) for each in self._pending)
                raise LogsNotStored(f"The log store refused {events} events.")

    async def close(self) -> None:
        """Store what is left and end :meth:`run`; never raises, may be called twice."""
        self._closed = True
        try:
            await self.flush()
        except LogsNotStored as error:
            _LOGGER.error("logs lost at shutdown: %s", error)
        finally:
            self._some.set()
            self._due.set()
            self._room.set()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not when there is much to store or nothing more to come."""
        self._due.clear()
        if self._closed or (self._bytes >= _BATCH_BYTES and not self._failing):
            return
        try:
            async with asyncio.timeout(seconds):
                await self._due.wait()
                while self._failing and not self._closed:
                    self._due.clear()
                    await self._due.wait()
        except TimeoutError:
            return

    async def _store_batch(self) -> bool:
        """Store the oldest events; False when the store failed and they are kept."""
        async with self._storing:
            taken = self._take()
            if not taken:
                return True
            losses, self._losses = self._losses, {}
            try:
                await self._store.append(self._batches(taken, losses))
            except Exception as error:  # noqa: BLE001 - whatever ails the store
                self._put_back(taken, losses)
                self._fail(error)
                return False
            except BaseException:
                # Cancelled: stored or not, nobody knows; twice is better than never.
                self._put_back(taken, losses)
                raise
            self._succeed(taken)
            return True

    def _take(self) -> list[Pending]:
        pending = self._pending
        taken: list[Pending] = []
        size = 0
        while pending and size < _BATCH_BYTES:
            each = pending.popleft()
            size += each.size
            taken.append(each)
        if not pending and not self._open:
            self._some.clear()
        return taken

    def _put_back(
        self, taken: list[Pending], losses: dict[tuple[LogGroupKey, str], list[int]]
    ) -> None:
        self._pending.extendleft(reversed(taken))
        self._some.set()
        for place, (events, size) in losses.items():
            self._lose(place, events, size)

    def _succeed(self, taken: list[Pending]) -> None:
        if self._failing:
            _LOGGER.warning("the log store works again; %d events were lost", self.dropped_events)
        self._failing = False
        self._settled += len(taken)
        self._bytes -= sum(each.size for each in taken)
        if self._bytes <= self._buffer_bytes // 2:
            self._room.set()

    def _fail(self, error: Exception) -> None:
        if not self._failing:
            _LOGGER.error("logs cannot be stored and are kept in memory: %s", error, exc_info=error)
        self._failing = True
        self._room.set()
        if self._bytes > self._buffer_bytes:
            self._drop_oldest(self._buffer_bytes * 7 // 8)

    def _drop_oldest(self, target_bytes: int) -> None:
        pending = self._pending
        while pending and self._bytes > target_bytes:
            oldest = pending[0]
            before = oldest.size
            events, characters = oldest.drop_oldest(self._bytes - target_bytes)
            self._bytes -= before - oldest.size
            self.dropped_events += events
            self._lose((oldest.group, oldest.segment.stream), events, characters)
            if not oldest.segment.messages:
                pending.popleft()
                self._settled += 1

    def _lose(self, place: tuple[LogGroupKey, str], events: int, size: int) -> None:
        if place in self._losses or len(self._losses) < _LOSSES_MAX:
            loss = self._losses.setdefault(place, [0, 0])
            loss[0] += events
            loss[1] += size

    def _batches(
        self, taken: list[Pending], losses: dict[tuple[LogGroupKey, str], list[int]]
    ) -> LogBatches:
        groups: dict[LogGroupKey, list[LogSegment]] = {}
        now_ms = int(self._clock.time() * 1000)
        for (group, stream), (events, size) in losses.items():
            text = f"{events} log events ({size} characters) were dropped: the log store failed.\n"
            groups.setdefault(group, []).append(LogSegment(stream, [now_ms], [text]))
        for each in taken:
            groups.setdefault(each.group, []).append(each.segment)
        return list(groups.items())


def _size(message: str) -> int:
    text_bytes = len(message) if message.isascii() else 4 * len(message)
    return text_bytes + _EVENT_OVERHEAD_BYTES
