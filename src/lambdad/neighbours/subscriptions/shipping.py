"""Sends what is logged to whoever subscribed, from where it was left.

A subscription sleeps until its group gets events. How far it has come is stored after its events
are durable at the destination: a crash repeats some and loses none. What a destination refuses for
good is dropped, as at AWS; what fails is tried again for a day.
Mutable: the subscriptions that run, on the event loop alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lambdad.controlplane.log_filters import SUBSCRIPTION, Document, LogFilters
from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.domain.logs import LogBatches, LogEvent, LogGroupKey
from lambdad.neighbours.delivery.model import DeliveryFailed
from lambdad.neighbours.subscriptions.destinations import Destinations
from lambdad.neighbours.subscriptions.messages import data_message, selector
from lambdad.storage.base import LogStore

_LOGGER = logging.getLogger(__name__)
_PAGE_EVENTS = 2_000
# A message of incompressible text still fits into an asynchronous event.
_PAGE_BYTES = 512 * 1024
_RETRY_S = (1.0, 60.0)
_GIVE_UP_MS = 24 * 3_600_000
# Events that nobody wanted, after which the position is stored all the same.
_UNWANTED_MAX = 10_000

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Shipping:
    """All subscriptions of this daemon. See `lambdad.api.context.LogSubscriptions`."""

    def __init__(
        self,
        logs: LogStore,
        filters: LogFilters,
        destinations: Destinations,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._logs = logs
        self._filters = filters
        self._destinations = destinations
        self._clock = clock
        self._spawn = spawn
        self._running: dict[LogGroupKey, dict[str, _Subscription]] = {}

    def start(self) -> None:
        """Go on where every subscription was left."""
        self._logs.watch(self._appended)
        for key, document in self._filters.all(SUBSCRIPTION):
            self._begin(key, document)

    def stop(self) -> None:
        """Send no more; what is on its way may be sent again after the next start."""
        for subscriptions in self._running.values():
            for each in subscriptions.values():
                each.stop()
        self._running.clear()

    async def put(self, key: LogGroupKey, document: Document) -> None:
        """Store a subscription and begin with what is logged from now on.

        Raises:
            InvalidParameterException: the destination would not take its events.
            LimitExceededException: the group has two already.
        """
        await self._destinations.check(key, document)
        name = document["filterName"]
        if self._filters.position(key, name) is None:
            await self._filters.advance(key, name, await self._logs.last_event_id())
        await self._filters.put(SUBSCRIPTION, key, document)
        self._end(key, name)
        self._begin(key, document)

    async def delete(self, key: LogGroupKey, name: str) -> bool:
        """Remove a subscription; False when there was none."""
        self._end(key, name)
        return await self._filters.delete(SUBSCRIPTION, key, name)

    def _appended(self, batches: LogBatches) -> None:
        for key, segments in batches:
            for each in self._running.get(key, {}).values():
                each.wake(min(min(segment.times_ms) for segment in segments))

    def _begin(self, key: LogGroupKey, document: Document) -> None:
        name = document["filterName"]
        after = self._filters.position(key, name) or 0
        running = _Subscription(self, key, document, after)
        self._running.setdefault(key, {})[name] = running
        self._spawn(running.run())

    def _end(self, key: LogGroupKey, name: str) -> None:
        running = self._running.get(key, {}).pop(name, None)
        if running is not None:
            running.stop()
            if not self._running[key]:
                del self._running[key]

    async def page(self, key: LogGroupKey, after: int, from_ms: int | None) -> Sequence[LogEvent]:
        """Return the next events of a group."""
        return await self._logs.arrivals(
            key, after, from_ms=from_ms, limit=_PAGE_EVENTS, max_bytes=_PAGE_BYTES
        )

    async def send(self, key: LogGroupKey, document: Document, stream: str, data: bytes) -> None:
        """See `Destinations.send`."""
        await self._destinations.send(key, document, stream, data)

    async def advance(self, key: LogGroupKey, name: str, event_id: int) -> None:
        """Store how far a subscription has come."""
        await self._filters.advance(key, name, event_id)

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self._clock.time() * 1_000)


class _Subscription:
    """One subscription. Mutable: where it is, and since which time there may be something new."""

    def __init__(
        self, shipping: Shipping, key: LogGroupKey, document: Document, after: int
    ) -> None:
        self._shipping = shipping
        self._key = key
        self._document = document
        self._name = document["filterName"]
        self._select = selector(document["filterPattern"])
        self._after = after
        self._unwanted = 0
        # None: whatever its time is. So it is at the start and after trouble.
        self._from_ms: int | None = None
        self._some = asyncio.Event()
        self._some.set()
        self._stopped = asyncio.Event()

    def wake(self, from_ms: int) -> None:
        """There are events, none of them older than this."""
        if not self._some.is_set():
            self._from_ms = from_ms
        elif self._from_ms is not None:
            self._from_ms = min(self._from_ms, from_ms)
        self._some.set()

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()
        self._some.set()

    async def run(self) -> None:
        """Send until stopped."""
        delay_s = _RETRY_S[0]
        while True:
            await self._some.wait()
            if self._stopped.is_set():
                return
            from_ms = self._from_ms
            self._some.clear()
            try:
                await self._send_all(from_ms)
                delay_s = _RETRY_S[0]
            except (DeliveryFailed, PlatformError) as trouble:
                _LOGGER.warning("%s: events wait: %s", self._name, trouble)
                self._from_ms = None
                self._some.set()
                await self._pause(delay_s)
                delay_s = min(2 * delay_s, _RETRY_S[1])

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return

    async def _send_all(self, from_ms: int | None) -> None:
        while not self._stopped.is_set():
            events = await self._shipping.page(self._key, self._after, from_ms)
            if not events:
                return
            sent = await self._send(events)
            self._after = events[-1].event_id
            self._unwanted += len(events)
            if (sent or self._unwanted >= _UNWANTED_MAX) and not self._stopped.is_set():
                await self._shipping.advance(self._key, self._name, self._after)
                self._unwanted = 0

    async def _send(self, events: Sequence[LogEvent]) -> bool:
        """Send what is wanted of some events; whether there was anything."""
        found = self._select(events)
        for stream, selected in found.items():
            data = await asyncio.to_thread(data_message, self._key, stream, self._name, selected)
            try:
                await self._shipping.send(self._key, self._document, stream, data)
            except DeliveryFailed as failure:
                old = selected[-1][0].ingestion_ms < self._shipping.now_ms() - _GIVE_UP_MS
                if not failure.final and not old:
                    raise
                _LOGGER.warning(
                    "%s: %d events of %s were dropped: %s",
                    self._name,
                    len(selected),
                    self._key.name,
                    failure,
                )
        return bool(found)
