"""Sources and functions of event source mappings, in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import TooManyRequestsException
from lambdad.domain.event_source_mappings import (
    EventSourceMapping,
    MappingState,
    SourceKind,
)
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.event_source_mappings.base import AwsRefused
from lambdad.event_source_mappings.streams import (
    AFTER,
    AT_TIMESTAMP,
    LATEST,
    Page,
    Position,
    Shard,
    StreamRecord,
)
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import FUNCTION_KEY

STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:q"


def a_mapping(kind: SourceKind = SourceKind.KINESIS, **settings: Any) -> EventSourceMapping:
    """An enabled mapping of the function `f`, but for the given settings."""
    given: dict[str, Any] = {
        "EventSourceArn": QUEUE_ARN if kind is SourceKind.SQS else STREAM_ARN,
        "BatchSize": 10,
        "StartingPosition": "TRIM_HORIZON",
        **settings,
    }
    if kind is SourceKind.SQS_FIFO:
        given["EventSourceArn"] = f"{QUEUE_ARN}.fifo"
    return EventSourceMapping(
        uuid="01234567-89ab-4def-8123-456789abcdef",
        function=FUNCTION_KEY,
        qualifier=None,
        kind=kind,
        settings=given,
        enabled=True,
        state=MappingState.ENABLED,
        last_processing_result=None,
        last_modified_s=0.0,
    )


def a_record(number: int, *, key: str = "k", arrived_s: float = 0.0) -> StreamRecord:
    """A record whose data is its number."""
    data = json.dumps({"n": number})
    record = {"n": number, "key": key}
    return StreamRecord(
        sequence=str(number),
        key=key,
        arrived_s=arrived_s,
        record=record,
        document=json.dumps(record).encode(),
        described=record,
        data=data.encode(),
    )


@dataclass(slots=True)
class _Shard:
    shard: Shard
    records: list[StreamRecord] = field(default_factory=list)
    closed: bool = False


class FakeStream:
    """See `event_source_mappings.streams.Stream`. Mutable: what was put into its shards."""

    idle_s = 1.0
    page_max = 1_000
    batch_info = "KinesisBatchInfo"

    def __init__(self) -> None:
        self._shards: dict[str, _Shard] = {}
        self.positions: list[tuple[str, Position]] = []
        self.errors: list[AwsRefused] = []

    def open(self, shard_id: str, *parents: str) -> None:
        """Add a shard; its parents are closed."""
        self._shards[shard_id] = _Shard(Shard(shard_id=shard_id, parents=parents))
        for parent in parents:
            self.close(parent)

    def close(self, shard_id: str) -> None:
        """Let nothing more be put into a shard."""
        self._shards[shard_id].closed = True

    def put(self, shard_id: str, *records: StreamRecord) -> None:
        """Append records."""
        self._shards[shard_id].records += records

    async def shards(self) -> Sequence[Shard]:
        """All of them."""
        return [
            Shard(shard_id=each.shard.shard_id, parents=each.shard.parents, closed=each.closed)
            for each in self._shards.values()
        ]

    async def iterator(self, shard_id: str, position: Position) -> str:
        """The index of the next record."""
        self.positions.append((shard_id, position))
        records = self._shards[shard_id].records
        if position.kind == LATEST:
            return str(len(records))
        if position.kind == AFTER:
            after = int(position.sequence or 0)
            return str(sum(int(record.sequence) <= after for record in records))
        if position.kind == AT_TIMESTAMP:
            since_s = position.timestamp_s or 0.0
            return str(sum(record.arrived_s < since_s for record in records))
        return "0"

    async def read(self, shard_id: str, iterator: str, limit: int) -> Page:
        """Up to `limit` records; raises the next of `errors`, if there is one."""
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        shard, begin = self._shards[shard_id], int(iterator)
        records = shard.records[begin : begin + limit]
        end = begin + len(records)
        ended = shard.closed and end == len(shard.records)
        return Page(records, None if ended else str(end))

    def moment(self, epoch_s: float) -> str:
        """The number itself."""
        return str(epoch_s)


Answer = Callable[[Mapping[str, Any]], Any]


class FakeDoor:
    """The door to a function that a test writes. Mutable: the events it got.

    Attributes:
        throttles: how many of the next invocations are refused.
        gate: invocations wait until it is set.
    """

    def __init__(self, answer: Answer) -> None:
        """`answer` returns what the function does, and raises ValueError to fail."""
        self._answer = answer
        self.events: list[Any] = []
        self.throttles = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most = 0

    async def invoke(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> InvocationResult:
        """Call the answer."""
        if self.throttles > 0:
            self.throttles -= 1
            raise TooManyRequestsException("Rate Exceeded.")
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
        finally:
            self.running -= 1
        event = json.loads(invocation.payload)
        self.events.append(event)
        try:
            answer = self._answer(event)
        except ValueError as error:
            document = json.dumps({"errorMessage": str(error)}).encode()
            return InvocationResult(
                payload=document, executed_version="$LATEST", function_error="Unhandled"
            )
        return InvocationResult(payload=json.dumps(answer).encode(), executed_version="$LATEST")


class NotedResults:
    """See `event_source_mappings.base.Results`. Mutable: what was noted."""

    def __init__(self) -> None:
        self.texts: list[str | None] = []

    async def note_result(self, mapping: EventSourceMapping, text: str | None) -> None:
        """Keep the text."""
        self.texts.append(text)


def fast(clock: FakeClock, *, longest_s: float = 10_000.0) -> Callable[[float], Awaitable[None]]:
    """A sleep that only lets the clock go on; one of more than `longest_s` never ends."""

    async def sleep(seconds: float) -> None:
        if seconds > longest_s:
            await asyncio.Event().wait()
        for _ in range(5):
            await asyncio.sleep(0)
        clock.advance(seconds)

    return sleep


async def until(condition: Callable[[], Any], *, turns: int = 20_000) -> None:
    """Let the loop turn until the condition holds."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
