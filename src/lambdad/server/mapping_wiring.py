"""Makes those who poll for event source mappings, and connects them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from lambdad.async_invocation.event_queue import Listener
from lambdad.controlplane.event_source_mappings import EventSourceMappings
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.async_events import AsyncEvent
from lambdad.domain.clock import Clock
from lambdad.domain.event_source_mappings import (
    EVENT_SOURCE_MAPPING_KIND,
    EventSourceMapping,
    SourceKind,
    from_resource,
)
from lambdad.event_source_mappings.admission import Admission
from lambdad.event_source_mappings.aws_client import Accounts
from lambdad.event_source_mappings.base import AwsRefused, AwsUnreachable, Poller
from lambdad.event_source_mappings.calls import Calls
from lambdad.event_source_mappings.checkpoints import Checkpoints
from lambdad.event_source_mappings.counting import Counting
from lambdad.event_source_mappings.pollers.dynamodb import DynamoDbStream
from lambdad.event_source_mappings.pollers.kinesis import KinesisStream
from lambdad.event_source_mappings.pollers.sqs import QueuePoller
from lambdad.event_source_mappings.pollers.stream import StreamPoller
from lambdad.event_source_mappings.shard_form import ShardForm
from lambdad.event_source_mappings.shard_state import StreamWork, Tools
from lambdad.event_source_mappings.shown import Shown
from lambdad.event_source_mappings.stopping import Stopping
from lambdad.event_source_mappings.streams import Stream
from lambdad.event_source_mappings.supervision import Supervisor
from lambdad.server.activity_pages import ActivityPages
from lambdad.server.arrivals import KinesisArrivals, Parts, TableArrivals
from lambdad.server.broker_wiring import BrokerPollers
from lambdad.storage.base import Engine

_DEPTH = "ApproximateNumberOfMessages"


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
        brokers: Mapping[str, str],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """`endpoint_url` is lambdad's own; `access_key` returns a key that it knows.

        `brokers` is the configuration's table.
        """
        self._store = store
        self._clock = clock
        self._metrics = invoker.metrics
        self._calls = Calls(invoker, clock, invoker.metrics.activity)
        self._accounts = Accounts(endpoint_url, access_key, clock)
        self._checkpoints = Checkpoints(
            store.resources, store.apply, clock, owner=str(uuid4()), alone=True
        )
        self._brokers = BrokerPollers(brokers, self._accounts, self._checkpoints)
        self.pages = ActivityPages(invoker.metrics.activity, store.resources, self._depth)
        self.neighbours: Parts
        self._mappings: EventSourceMappings
        self._listener: Listener
        self.pollers = Supervisor(
            {
                SourceKind.SQS: self._queue,
                SourceKind.SQS_FIFO: self._queue,
                SourceKind.KINESIS: self._stream,
                SourceKind.DYNAMODB: self._stream,
                SourceKind.MSK: self._kafka,
                SourceKind.SELF_MANAGED_KAFKA: self._kafka,
                SourceKind.MQ: self._message_broker,
            },
            self._checkpoints,
            Admission(store.functions, self._accounts.of, self._brokers.brokers),
            spawn=spawn,
        )

    def begin(self, mappings: EventSourceMappings, listener: Listener) -> None:
        """Poll from now on: the endpoint answers. `listener` hears of what is to be delivered."""
        self._mappings = mappings
        self._listener = listener
        stored = self._store.resources.all(EVENT_SOURCE_MAPPING_KIND)
        self.pollers.begin(map(from_resource, stored))

    async def drain(self, timeout_s: float) -> None:
        """Take nothing more and finish what is in hand."""
        await self.pollers.drain(timeout_s)
        self._accounts.close()

    async def note_result(self, mapping: EventSourceMapping, text: str | None) -> None:
        """See `event_source_mappings.base.Results`."""
        await asyncio.shield(self._mappings.note_result(mapping, text))

    async def _depth(self, mapping: EventSourceMapping) -> int | None:
        """See `activity_pages.QueueDepth`."""
        if mapping.kind not in (SourceKind.SQS, SourceKind.SQS_FIFO):
            return None
        _, _, _, region, account_id, name = mapping.settings["EventSourceArn"].split(":", 5)
        name_of = {"QueueUrl": f"/{account_id}/{name}", "AttributeNames": [_DEPTH]}
        api = self._accounts.of(mapping.function.account_id)
        try:
            answer = await api.call("sqs", region, "GetQueueAttributes", name_of)
            return int(answer["Attributes"][_DEPTH])
        except (AwsRefused, AwsUnreachable, KeyError, ValueError):
            return None

    async def _send(self, event: AsyncEvent) -> None:
        await self._store.events.enqueue(event)
        self._listener.note(event.lane, event.accepted_ms)

    def _stream(self, mapping: EventSourceMapping) -> StreamPoller:
        api = self._accounts.of(mapping.function.account_id)
        arn = mapping.settings["EventSourceArn"]
        table = mapping.kind is SourceKind.DYNAMODB
        stream: Stream = (
            DynamoDbStream(api, arn)
            if table
            else KinesisStream(api, arn, partial(self._role_of, mapping))
        )
        work = StreamWork(
            wake=TableArrivals(self.neighbours, arn) if table else KinesisArrivals(self.neighbours),
            mapping=mapping,
            form=ShardForm(stream, arn),
            stream=stream,
            calls=self._calls,
            counting=Counting(mapping, self._metrics, self._clock),
            results=Shown(self, mapping),
            checkpoints=self._checkpoints,
            send=self._send,
            clock=self._clock,
            stopping=Stopping(asyncio.sleep),
        )
        return StreamPoller(work)

    def _kafka(self, mapping: EventSourceMapping) -> Poller:
        return self._brokers.kafka(self._tools(mapping), self._send)

    def _message_broker(self, mapping: EventSourceMapping) -> Poller:
        return self._brokers.message_broker(self._tools(mapping))

    def _tools(self, mapping: EventSourceMapping) -> Tools:
        return Tools(
            mapping=mapping,
            calls=self._calls,
            counting=Counting(mapping, self._metrics, self._clock),
            results=Shown(self, mapping),
            clock=self._clock,
            stopping=Stopping(asyncio.sleep),
        )

    def _role_of(self, mapping: EventSourceMapping) -> str:
        function = self._store.functions.get(mapping.function)
        return "" if function is None else function.role

    def _queue(self, mapping: EventSourceMapping) -> QueuePoller:
        return QueuePoller(
            mapping,
            api=self._accounts.of(mapping.function.account_id),
            calls=self._calls,
            counting=Counting(mapping, self._metrics, self._clock),
            results=self,
            clock=self._clock,
        )
