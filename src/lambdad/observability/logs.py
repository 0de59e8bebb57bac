"""Brings log events to the store, behind the invocations that write them.

Decides when events are written together, when their writers must wait, and which are lost when
the store fails. What an event says, and how it is stored, is not known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from lambdad.config.sections import LogsConfig
from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.domain.logs import LogEvent, LogGroupKey
from lambdad.observability.lines import split_event

_LOGGER = logging.getLogger(__name__)

# What an event costs in memory beside its text, so that floods of empty lines count too.
_EVENT_OVERHEAD_BYTES = 256
# One transaction: large enough to share its fsync, small enough not to hold the event loop.
_BATCH_EVENTS = 2_000
_BATCH_BYTES = 1024 * 1024
_RETRY_S = 1.0
# Characters of a message that needs not be cut.
_SURELY_WHOLE = 4_096
# Streams whose losses are counted one by one while the store fails.
_LOSSES_MAX = 1_024

# Of group and stream, at a time: a message, and what it counts for.
Pending = tuple[LogGroupKey, str, int, str, int]
Batches = Sequence[tuple[LogGroupKey, Sequence[LogEvent]]]


class LogAppender(Protocol):
    """The part of the log store that is needed here."""

    async def append(self, batches: Batches) -> None:
        """Store events durably; missing groups and streams are made."""
        ...


class LogsNotStored(PlatformError):
    """The store refused events that somebody waits for; they are kept for the next try."""


class LogWriter:
    """Takes events at once and stores them in batches.

    Mutable: the events not stored yet with their size, how many were ever written and how many
    of these are settled (stored or dropped), whether the store fails, and what was dropped.
    """

    def __init__(self, store: LogAppender, clock: Clock, config: LogsConfig) -> None:
        self.dropped_events = 0
        self._store = store
        self._clock = clock
        self._interval_s = config.flush_interval_s
        self._buffer_bytes = config.buffer_bytes
        self._pending: deque[Pending] = deque()
        self._bytes = 0
        self._written = 0
        self._settled = 0
        self._failing = False
        self._losses: dict[tuple[LogGroupKey, str], list[int]] = {}
        self._closed = False
        self._storing = asyncio.Lock()
        self._some = asyncio.Event()
        self._due = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def write(self, group: LogGroupKey, stream: str, timestamp_ms: int, message: str) -> None:
        """Take an event. Never blocks, never raises; costs about a microsecond."""
        if not message or self._closed:
            return
        pending = self._pending
        if not pending:
            self._some.set()
        text_bytes = len(message) if message.isascii() else 4 * len(message)
        size = text_bytes + _EVENT_OVERHEAD_BYTES
        pending.append((group, stream, timestamp_ms, message, size))
        self._written += 1
        self._bytes += size
        if self._bytes >= _BATCH_BYTES:
            self._grown()

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
            while self._pending and not self._closed:
                if not await self._store_batch():
                    await self._pause(_RETRY_S)

    async def flush(self) -> None:
        """Return when everything written so far is stored.

        Raises:
            LogsNotStored: the store fails; the events are still waiting.
        """
        target = self._written
        while self._settled < target:
            if not await self._store_batch():
                raise LogsNotStored(f"The log store refused {len(self._pending)} events.")

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

    def _grown(self) -> None:
        self._due.set()
        if self._bytes > self._buffer_bytes:
            # A store that fails makes nobody wait: functions go on and old events are lost.
            if not self._failing:
                self._room.clear()
            limit = self._buffer_bytes if self._failing else 2 * self._buffer_bytes
            if self._bytes > limit:
                self._drop_oldest(limit * 7 // 8)

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
        while pending and len(taken) < _BATCH_EVENTS and size < _BATCH_BYTES:
            event = pending.popleft()
            size += event[4]
            taken.append(event)
        if not pending:
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
        self._bytes -= sum(event[4] for event in taken)
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
            group, stream, _, message, size = pending.popleft()
            self._bytes -= size
            self._settled += 1
            self.dropped_events += 1
            self._lose((group, stream), 1, len(message))

    def _lose(self, place: tuple[LogGroupKey, str], events: int, size: int) -> None:
        if place in self._losses or len(self._losses) < _LOSSES_MAX:
            loss = self._losses.setdefault(place, [0, 0])
            loss[0] += events
            loss[1] += size

    def _batches(
        self, taken: list[Pending], losses: dict[tuple[LogGroupKey, str], list[int]]
    ) -> Batches:
        groups: dict[LogGroupKey, list[LogEvent]] = {}
        now_ms = int(self._clock.time() * 1000)
        for (group, stream), (events, size) in losses.items():
            text = f"{events} log events ({size} characters) were dropped: the log store failed.\n"
            groups.setdefault(group, []).append(
                LogEvent(stream=stream, timestamp_ms=now_ms, message=text, ingestion_ms=now_ms)
            )
        for group, stream, timestamp_ms, message, _ in taken:
            into = groups.get(group)
            if into is None:
                into = groups[group] = []
            if len(message) <= _SURELY_WHOLE and message.isascii():
                into.append(
                    LogEvent(
                        stream=stream,
                        timestamp_ms=timestamp_ms,
                        message=message,
                        ingestion_ms=now_ms,
                    )
                )
                continue
            text = message.encode("utf-8", "replace").decode()
            into.extend(
                LogEvent(
                    stream=stream, timestamp_ms=timestamp_ms, message=piece, ingestion_ms=now_ms
                )
                for piece in split_event(text)
            )
        return list(groups.items())
