"""Putting records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.kinesis.errors import InvalidArgumentException
from lambdad.neighbours.kinesis.log import Incoming
from lambdad.neighbours.kinesis.model import HASH_MAX, Stream
from lambdad.neighbours.kinesis.service import KINESIS, Context, refuse_dry_run, stream_of

_BATCH_BYTES_MAX = 10 * 1024 * 1024
AUTO = "AUTO"


@KINESIS.operation("PutRecord")
async def put_record(context: Context, params: Params) -> Result:
    """Store a record; it is durable when this returns."""
    stream = stream_of(context, params)
    incoming = _incoming(context, stream, params, "")
    refuse_dry_run(params)
    ((shard, position),) = await context.services.log.put(stream, [incoming])
    return {
        "ShardId": shard.name,
        "SequenceNumber": shard.sequence(position),
        "EncryptionType": stream.settings["encryption"],
    }


@KINESIS.operation("PutRecords")
async def put_records(context: Context, params: Params) -> Result:
    """Store up to 500 records, all of them or none."""
    stream = stream_of(context, params)
    incoming = [
        _incoming(context, stream, each, f"records.{number}.member.")
        for number, each in enumerate(params["Records"], 1)
    ]
    size = sum(len(each.data) + len(each.partition_key.encode()) for each in incoming)
    if size > _BATCH_BYTES_MAX:
        raise InvalidArgumentException(
            f"Records size exceeds {_BATCH_BYTES_MAX // (1024 * 1024)} MB limit"
        )
    refuse_dry_run(params)
    stored = await context.services.log.put(stream, incoming)
    return {
        "FailedRecordCount": 0,
        "Records": [
            {"ShardId": shard.name, "SequenceNumber": shard.sequence(position)}
            for shard, position in stored
        ],
        "EncryptionType": stream.settings["encryption"],
    }


def _incoming(context: Context, stream: Stream, entry: Mapping[str, Any], place: str) -> Incoming:
    partition_key = entry.get("PartitionKey")
    if partition_key is None:
        if stream.settings["distribution"] != AUTO:
            raise InvalidArgumentException(
                f"{place}partitionKey is required: the stream distributes records by it."
            )
        partition_key = context.request_id + place
    data: bytes = entry["Data"]
    largest = int(stream.settings["record_kib"]) * 1024
    if len(data) + len(partition_key.encode()) > largest:
        raise InvalidArgumentException(
            f"Record size of {len(data)} bytes and its partition key exceed the maximum of "
            f"{largest} bytes of stream {stream.name}."
        )
    explicit = entry.get("ExplicitHashKey")
    hash_key = None if explicit is None else int(explicit)
    if hash_key is not None and hash_key > HASH_MAX:
        raise InvalidArgumentException(
            f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {explicit}"
        )
    return Incoming(partition_key=partition_key, data=data, hash_key=hash_key)
