"""Brings event source mappings into the state they are to have, in the background.

Decides nothing about their settings; writes one more row, or removes it, when the pollers have
followed. Takes up after a restart what was under way.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from lambdad.controlplane import configuration
from lambdad.domain.event_source_mappings import (
    EVENT_SOURCE_MAPPING_KIND,
    SETTLED,
    EventSourceMapping,
    MappingState,
    from_resource,
    to_resource,
)
from lambdad.storage.base import ResourceStore

_LOGGER = logging.getLogger(__name__)

_SHORTLY_S = 0.25


class EventSourcePollers(Protocol):
    """Those who poll; wired up in `lambdad.server`."""

    async def check(self, mapping: EventSourceMapping) -> None:
        """Look at the source of a mapping that is about to be stored.

        Raises:
            InvalidParameterValueException: it cannot be polled; says why.
        """
        ...

    async def follow(self, mapping: EventSourceMapping) -> None:
        """Begin, change or end polling as this mapping says; returns when that is done.

        May be cancelled and called anew for the same mapping after a restart.
        """
        ...


class MappingTransitions:
    """Owner of the tasks that settle mappings; an async context manager.

    Leaving it gives up what still goes on; the next start takes it up again. Mutable state:
    `_running`, the events that are set when a mapping's transition has ended, by UUID.
    """

    def __init__(
        self, store: ResourceStore, writing: asyncio.Lock, pollers: EventSourcePollers | None
    ) -> None:
        """Without pollers a mapping is settled as soon as it is stored.

        `writing` is held by whoever writes mappings, so that what was read stays true.
        """
        self._store = store
        self._writing = writing
        self._pollers = pollers
        self._group = asyncio.TaskGroup()
        self._running: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        for resource in self._store.all(EVENT_SOURCE_MAPPING_KIND):
            mapping = from_resource(resource)
            if mapping.state not in SETTLED:
                self.begin(mapping)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pollers is not None:
            for task in self._tasks:
                task.cancel()
        await self._group.__aexit__(kind, error, trace)

    def begin(self, mapping: EventSourceMapping) -> None:
        """Settle this stored mapping; returns at once."""
        ended = self._running[mapping.uuid] = asyncio.Event()
        task = self._group.create_task(self._finish(mapping, ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self, uuid: str) -> None:
        """Wait for a transition to end, if it ends at once.

        A reader that comes within these milliseconds is better served late than with a passing
        state, which clients look at again only after seconds. What waits for a batch that a
        function still works on takes longer, and is seen.
        """
        if (ended := self._running.get(uuid)) is None:
            return
        try:
            async with asyncio.timeout(_SHORTLY_S):
                await ended.wait()
        except TimeoutError:
            return

    async def _finish(self, mapping: EventSourceMapping, ended: asyncio.Event) -> None:
        try:
            if self._pollers is not None:
                await self._pollers.follow(mapping)
            await self._write(mapping)
        except Exception:
            # The row stays as it is; the next start of lambdad takes it up again.
            _LOGGER.exception("Event source mapping %s stays %s.", mapping.uuid, mapping.state)
        finally:
            ended.set()
            if self._running.get(mapping.uuid) is ended:
                del self._running[mapping.uuid]

    async def _write(self, mapping: EventSourceMapping) -> None:
        async with self._writing:
            stored = self._store.get(mapping.key)
            if stored is None or stored.revision != mapping.revision:
                return
            if mapping.state is MappingState.DELETING:
                await self._store.delete(mapping.key)
                return
            # Read again: tags may have changed since, which leave the revision alone.
            current = from_resource(stored)
            settled = replace(
                current,
                state=MappingState.ENABLED if current.enabled else MappingState.DISABLED,
                revision=configuration.new_revision(),
            )
            await self._store.replace(to_resource(settled), expected_revision=mapping.revision)
