"""Keeps a poller running for every mapping that is to be polled.

Decides when one is made, replaced and ended; refuses to know how any of them polls. A poller that
fails is logged and made anew after a while. Mutable: the pollers that run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.domain.event_source_mappings import (
    EventSourceMapping,
    MappingState,
    SourceKind,
)
from lambdad.event_source_mappings.admission import Admission
from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.base import Poller, Sleep
from lambdad.event_source_mappings.checkpoints import Checkpoints
from lambdad.event_source_mappings.stopping import Stopping

_LOGGER = logging.getLogger(__name__)

MakePoller = Callable[[EventSourceMapping], Poller]
SpawnTask = Callable[[Coroutine[Any, Any, None]], None]


@dataclass(slots=True, eq=False)
class _Running:
    """One mapping that is polled. Mutable: the poller of now."""

    mapping: EventSourceMapping
    poller: Poller
    stopping: Stopping
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        self.stopping.stop()
        self.poller.stop()


class Supervisor:
    """See `controlplane.mapping_transitions.EventSourcePollers`."""

    def __init__(
        self,
        makers: Mapping[SourceKind, MakePoller],
        checkpoints: Checkpoints,
        admission: Admission,
        *,
        spawn: SpawnTask,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`makers` make pollers by kind of source; what has none is never polled."""
        self._makers = makers
        self._checkpoints = checkpoints
        self._admission = admission
        self._spawn = spawn
        self._sleep = sleep
        self._running: dict[str, _Running] = {}
        self._begun = asyncio.Event()
        self._draining = False

    def begin(self, mappings: Iterable[EventSourceMapping]) -> None:
        """Poll from now on, and take up what was polled when the daemon ended.

        What is passing into another state is followed by itself, and waits until now.
        """
        self._begun.set()
        for mapping in mappings:
            if mapping.state is MappingState.ENABLED and mapping.uuid not in self._running:
                self._start(mapping)

    async def check(self, mapping: EventSourceMapping) -> None:
        """See `controlplane.mapping_transitions.EventSourcePollers`."""
        await self._admission.check(mapping)

    async def follow(self, mapping: EventSourceMapping) -> None:
        """See `controlplane.mapping_transitions.EventSourcePollers`."""
        running = self._running.get(mapping.uuid)
        if running is not None:
            running.stop()
            await running.ended.wait()
        if mapping.state is MappingState.DELETING:
            await self._checkpoints.forget(mapping)
        elif mapping.enabled:
            self._start(mapping)

    async def drain(self, timeout_s: float) -> None:
        """Take nothing more; wait for what is in hand, but not longer than this."""
        self._draining = True
        self._begun.set()
        running = list(self._running.values())
        for each in running:
            each.stop()
        try:
            async with asyncio.timeout(timeout_s):
                for each in running:
                    await each.ended.wait()
        except TimeoutError:
            _LOGGER.warning("Batches in hand were left; their records come again.")

    def _start(self, mapping: EventSourceMapping) -> None:
        make = self._makers.get(mapping.kind)
        if make is None or self._draining:
            return
        running = self._running[mapping.uuid] = _Running(
            mapping, make(mapping), Stopping(self._sleep)
        )
        self._spawn(self._run(running, make))

    async def _run(self, running: _Running, make: MakePoller) -> None:
        backoff = Backoff(1.0, 60.0)
        try:
            await self._begun.wait()
            while not running.stopping.stopped:
                try:
                    await running.poller.run()
                except Exception:
                    _LOGGER.exception("The poller of mapping %s failed.", running.mapping.uuid)
                await running.stopping.pause(backoff.failed())
                if not running.stopping.stopped:
                    running.poller = make(running.mapping)
        finally:
            if self._running.get(running.mapping.uuid) is running:
                del self._running[running.mapping.uuid]
            running.ended.set()
