"""Makes those who poll for event source mappings, and connects them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

from lambdad.controlplane.event_source_mappings import EventSourceMappings
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.clock import Clock
from lambdad.domain.event_source_mappings import (
    EVENT_SOURCE_MAPPING_KIND,
    EventSourceMapping,
    SourceKind,
    from_resource,
)
from lambdad.event_source_mappings.aws_client import Accounts
from lambdad.event_source_mappings.calls import Calls
from lambdad.event_source_mappings.checkpoints import Checkpoints
from lambdad.event_source_mappings.counting import Counting
from lambdad.event_source_mappings.pollers.sqs import QueuePoller
from lambdad.event_source_mappings.supervision import Supervisor
from lambdad.storage.base import Engine


class EventSources:
    """All pollers of a daemon. Mutable: what is known only once the rest has been made."""

    def __init__(
        self,
        store: Engine,
        invoker: Invoker,
        clock: Clock,
        *,
        endpoint_url: str,
        access_key: Callable[[str], tuple[str, str]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """`endpoint_url` is lambdad's own; `access_key` returns a key that it knows."""
        self._store = store
        self._clock = clock
        self._metrics = invoker.metrics
        self._calls = Calls(invoker)
        self._accounts = Accounts(endpoint_url, access_key, clock)
        self._checkpoints = Checkpoints(
            store.resources, store.apply, clock, owner=str(uuid4()), alone=True
        )
        self._mappings: EventSourceMappings
        self.pollers = Supervisor(
            {SourceKind.SQS: self._queue, SourceKind.SQS_FIFO: self._queue},
            self._checkpoints,
            spawn=spawn,
        )

    def begin(self, mappings: EventSourceMappings) -> None:
        """Poll from now on: the endpoint answers."""
        self._mappings = mappings
        stored = self._store.resources.all(EVENT_SOURCE_MAPPING_KIND)
        self.pollers.begin(map(from_resource, stored))

    async def drain(self, timeout_s: float) -> None:
        """Take nothing more and finish what is in hand."""
        await self.pollers.drain(timeout_s)
        self._accounts.close()

    async def note_result(self, mapping: EventSourceMapping, text: str | None) -> None:
        """See `event_source_mappings.base.Results`."""
        await asyncio.shield(self._mappings.note_result(mapping, text))

    def _queue(self, mapping: EventSourceMapping) -> QueuePoller:
        return QueuePoller(
            mapping,
            api=self._accounts.of(mapping.function.account_id),
            calls=self._calls,
            counting=Counting(mapping, self._metrics, self._clock),
            results=self,
            clock=self._clock,
        )
