"""Enhanced fan-out: consumers, and the records that are pushed to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from lambdad.api.dispatch import Answer, Params, Result
from lambdad.neighbours.kinesis.errors import (
    LimitExceededException,
    ResourceInUseException,
    no_stream,
)
from lambdad.neighbours.kinesis.model import Consumer, Shard, Stream
from lambdad.neighbours.kinesis.reading import child, described, starting_point
from lambdad.neighbours.kinesis.service import (
    KINESIS,
    Context,
    consumer_of,
    limited,
    moment,
    refuse_dry_run,
    shard_of,
    stream_of,
)
from lambdad.protocol.eventstream import CONTENT_TYPE, encode_event
from lambdad.protocol.outputs import json_value

_CONSUMERS_MAX = 20
_PAGE = 100
_SUBSCRIPTION_S = 300.0
_HEARTBEAT_S = 5.0
_EVENT_RECORDS = 1_000
_JSON = "application/x-amz-json-1.1"
_EVENT_SHAPE = KINESIS.model.shape_for("SubscribeToShardEvent")


@KINESIS.operation("RegisterStreamConsumer")
async def register_stream_consumer(context: Context, params: Params) -> Result:
    """Register a consumer; it is active when this returns."""
    stream, name = stream_of(context, params), params["ConsumerName"]
    async with stream.changing:
        if name in stream.consumers:
            raise ResourceInUseException(
                f"Consumer {name} under stream {stream.arn} already exists."
            )
        if len(stream.consumers) >= _CONSUMERS_MAX:
            raise LimitExceededException(
                f"Stream {stream.name} has {_CONSUMERS_MAX} consumers, which is the limit."
            )
        settings = {"tags": dict(params.get("Tags") or {}), "policy": None}
        consumer = Consumer(
            id=0, name=name, created_ms=context.services.now_ms(), settings=settings
        )
        await context.services.register(stream, consumer)
    return {"Consumer": _described(stream, consumer)}


def _described(stream: Stream, consumer: Consumer) -> dict[str, Any]:
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": consumer.arn(stream),
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": moment(consumer.created_ms),
    }


@KINESIS.operation("DescribeStreamConsumer")
async def describe_stream_consumer(context: Context, params: Params) -> Result:
    """Return a consumer."""
    stream, consumer = consumer_of(context, params)
    return {"ConsumerDescription": {**_described(stream, consumer), "StreamARN": stream.arn}}


@KINESIS.operation("ListStreamConsumers")
async def list_stream_consumers(context: Context, params: Params) -> Result:
    """Return a page of a stream's consumers, by name; a token is the last name before."""
    stream = context.services.by_arn(params["StreamARN"])
    if stream is None:
        raise no_stream(params["StreamARN"].rpartition("/")[2], context.account_id)
    after = params.get("NextToken") or ""
    found = [each for name, each in sorted(stream.consumers.items()) if name > after]
    page = found[: limited(params, "MaxResults", _PAGE)]
    more = len(found) > len(page)
    return {
        "Consumers": [_described(stream, each) for each in page],
        "NextToken": page[-1].name if more else None,
    }


@KINESIS.operation("DeregisterStreamConsumer")
async def deregister_stream_consumer(context: Context, params: Params) -> Result:
    """Forget a consumer; its subscriptions end."""
    stream, consumer = consumer_of(context, params)
    await context.services.deregister(stream, consumer)
    return {}


@KINESIS.operation("SubscribeToShard")
async def subscribe_to_shard(context: Context, params: Params) -> Answer:
    """Push a shard's records for five minutes, as events over the open response.

    A further subscription of the same consumer to the shard ends the one before.
    """
    stream, consumer = consumer_of(context, params)
    shard = shard_of(stream, params["ShardId"])
    start = params["StartingPosition"]
    after = starting_point(
        shard,
        start["Type"],
        start.get("SequenceNumber"),
        start.get("Timestamp"),
        now_ms=context.services.now_ms(),
    )
    refuse_dry_run(params)
    key = (consumer.id, shard.id)
    before = context.services.subscriptions.get(key)
    if before is not None:
        before.set()
        shard.wake()
    ended = context.services.subscriptions[key] = asyncio.Event()
    subscription = _Subscription(context, stream, shard, ended)
    return Answer(
        result={},
        headers={"Content-Type": CONTENT_TYPE},
        pieces=subscription.events(key, after),
    )


class _Subscription:
    """One response that records are pushed over."""

    def __init__(
        self, context: Context, stream: Stream, shard: Shard, ended: asyncio.Event
    ) -> None:
        self._streams = context.services
        self._stream = stream
        self._shard = shard
        self._ended = ended

    async def events(self, key: tuple[int, int], after: int) -> AsyncGenerator[bytes, None]:
        """Yield the events; the first one says that there is nothing beside events."""
        clock = self._streams.clock
        deadline = clock.monotonic() + _SUBSCRIPTION_S
        log = self._streams.log
        try:
            yield encode_event("initial-response", b"{}", content_type=_JSON)
            while not self._over() and clock.monotonic() < deadline:
                batch = await log.read(self._stream, self._shard, after, _EVENT_RECORDS)
                if batch.records:
                    after = batch.records[-1].position
                yield self._event(batch.records, after, batch.behind_ms, batch.children)
                if batch.next is None:
                    return
                wait_s = min(_HEARTBEAT_S, max(0.0, deadline - clock.monotonic()))
                if not batch.behind_ms:
                    await log.wait(self._stream, self._shard, after, wait_s)
        finally:
            if self._streams.subscriptions.get(key) is self._ended:
                del self._streams.subscriptions[key]

    def _over(self) -> bool:
        gone = self._stream.deleted or self._streams.stopping.is_set()
        return gone or self._ended.is_set()

    def _event(self, records: Any, after: int, behind_ms: int, children: Any) -> bytes:
        document: Mapping[str, Any] = {
            "Records": [described(self._stream, self._shard, each) for each in records],
            "ContinuationSequenceNumber": self._shard.sequence(after),
            "MillisBehindLatest": behind_ms,
            "ChildShards": [child(each) for each in children] or None,
        }
        payload = json.dumps(json_value(_EVENT_SHAPE, document)).encode()
        return encode_event("SubscribeToShardEvent", payload, content_type=_JSON)
