"""Amazon Kinesis Data Streams: where its operations register, and how they name a stream."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdad.api.app import answer
from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Params, Service
from lambdad.neighbours.kinesis.errors import (
    DryRunOperationException,
    InvalidArgumentException,
    ResourceNotFoundException,
    ValidationException,
    no_shard,
    no_stream,
)
from lambdad.neighbours.kinesis.model import Consumer, Shard, Stream
from lambdad.neighbours.kinesis.parts import Streams
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.serializer import serialize_error

Context = ServiceContext[Streams]

KINESIS = Service[Streams]("kinesis")
_SHARD_PREFIX = "shardId-"


async def answer_json(request: HttpRequest, context: Context) -> HttpResponse:
    """Answer a request, but say what to do to a client that speaks CBOR."""
    if "cbor" not in request.headers.get("content-type", ""):
        return await answer(KINESIS, request, context)
    return serialize_error(
        KINESIS.model,
        code="SerializationException",
        message="lambdad reads JSON, not CBOR. Set CBOR_ENABLED=false for version 2 of the AWS SDK "
        "for Java, AWS_CBOR_DISABLE=true for version 1.",
        members={},
        request_id=context.request_id,
    )


def stream_of(context: Context, params: Params) -> Stream:
    """Return the stream that a request names, by ARN, by name or by its id.

    Raises:
        ResourceNotFoundException: there is none.
        InvalidArgumentException: the request names none, or two.
    """
    arn, name, number = (params.get(each) for each in ("StreamARN", "StreamName", "StreamId"))
    if arn is not None:
        stream = context.services.by_arn(arn)
        if stream is None:
            raise no_stream(arn.rpartition("/")[2], context.account_id)
        if name is not None and name != stream.name:
            raise InvalidArgumentException("StreamARN and StreamName name different streams.")
        return stream
    if name is not None:
        return context.services.find((context.account_id, context.region, name))
    for stream in context.services.all() if number is not None else ():
        if stream.settings["stream_id"] == number and stream.account_id == context.account_id:
            return stream
    if number is not None:
        raise no_stream(number, context.account_id)
    raise InvalidArgumentException("Either StreamName or StreamARN should be provided.")


def shard_of(stream: Stream, shard_id: str) -> Shard:
    """Return a shard of a stream; its number without leading zeros names it, too.

    Raises:
        ResourceNotFoundException: there is none.
    """
    digits = shard_id.removeprefix(_SHARD_PREFIX)
    shard = stream.shards.get(int(digits)) if digits.isascii() and digits.isdecimal() else None
    if shard is None:
        raise no_shard(shard_id, stream.name, stream.account_id)
    return shard


def consumer_of(context: Context, params: Params) -> tuple[Stream, Consumer]:
    """Return the consumer that a request names, by its ARN or by its stream's and its name.

    Raises:
        ResourceNotFoundException: there is none.
        InvalidArgumentException: the request names none.
    """
    arn, name = params.get("ConsumerARN"), params.get("ConsumerName")
    if arn is None and (name is None or params.get("StreamARN") is None):
        raise InvalidArgumentException(
            "Either ConsumerARN, or both StreamARN and ConsumerName should be provided."
        )
    stream = context.services.by_arn(arn or params["StreamARN"])
    for consumer in stream.consumers.values() if stream is not None else ():
        if stream is not None and (consumer.arn(stream) == arn or consumer.name == name):
            return stream, consumer
    raise ResourceNotFoundException(
        f"Consumer {arn or name}, account {context.account_id} not found."
    )


def refuse_dry_run(params: Params) -> None:
    """End a request that only wanted to know whether it may.

    Raises:
        DryRunOperationException: it may.
    """
    if params.get("DryRun"):
        raise DryRunOperationException("Request would have succeeded, but DryRun flag is set.")


def moment(time_ms: int) -> datetime:
    """Return epoch milliseconds as the service model has times."""
    return datetime.fromtimestamp(time_ms / 1_000, UTC)


def epoch_ms(time: datetime) -> int:
    """Return a time of the service model in epoch milliseconds."""
    return int(time.timestamp() * 1_000)


def limited(params: Params, name: str, default: int) -> int:
    """Return how many are wanted."""
    value: Any = params.get(name)
    return default if value is None else int(value)


def needs(params: Params, *names: str) -> None:
    """Refuse a request that lacks one of these.

    Raises:
        ValidationException: it does.
    """
    for name in names:
        if params.get(name) is None:
            raise ValidationException(f"{name} is required.")
