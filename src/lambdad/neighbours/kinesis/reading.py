"""Reading records: iterators, and the records behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.kinesis.errors import InvalidArgumentException, ResourceNotFoundException
from lambdad.neighbours.kinesis.model import (
    Record,
    Shard,
    Stream,
    arrived_ms,
    hash_range,
    parse_sequence,
    position_at,
    shard_name,
)
from lambdad.neighbours.kinesis.service import (
    KINESIS,
    Context,
    epoch_ms,
    limited,
    moment,
    refuse_dry_run,
    shard_of,
    stream_of,
)

_RECORDS_MAX = 10_000


@KINESIS.operation("GetShardIterator")
async def get_shard_iterator(context: Context, params: Params) -> Result:
    """Return where to begin to read a shard."""
    stream = stream_of(context, params)
    shard = shard_of(stream, params["ShardId"])
    after = starting_point(
        shard,
        params["ShardIteratorType"],
        params.get("StartingSequenceNumber"),
        params.get("Timestamp"),
        now_ms=context.services.now_ms(),
    )
    refuse_dry_run(params)
    return {"ShardIterator": context.services.log.iterator(stream, shard, after).token()}


def starting_point(
    shard: Shard, kind: str, sequence: str | None, timestamp: Any, *, now_ms: int
) -> int:
    """Return the position behind which reading begins.

    Raises:
        InvalidArgumentException: what this kind needs is missing, or wrong.
    """
    if kind == "TRIM_HORIZON":
        return shard.first_position
    if kind == "LATEST":
        return shard.newest
    if kind == "AT_TIMESTAMP":
        if timestamp is None:
            raise InvalidArgumentException(
                "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP."
            )
        wanted_ms = epoch_ms(timestamp)
        if wanted_ms > now_ms:
            raise InvalidArgumentException(
                f"The timestampInMillis parameter cannot be greater than the "
                f"currentTimestampInMillis. timestampInMillis: {wanted_ms}, "
                f"currentTimestampInMillis: {now_ms}"
            )
        return max(shard.first_position, position_at(wanted_ms) - 1)
    if sequence is None:
        raise InvalidArgumentException(
            f"Must specify startingSequenceNumber parameter for iterator of type {kind}."
        )
    position = parse_sequence(sequence, shard)
    return position if kind == "AFTER_SEQUENCE_NUMBER" else position - 1


@KINESIS.operation("GetRecords")
async def get_records(context: Context, params: Params) -> Result:
    """Return records, and where to go on."""
    log = context.services.log
    stream, shard, iterator = log.resolve(params["ShardIterator"])
    named = params.get("StreamARN")
    if stream.account_id != context.account_id and named is None:
        raise ResourceNotFoundException("The stream or shard of the iterator does not exist.")
    if named is not None and named != stream.arn:
        raise InvalidArgumentException("StreamARN is not that of the iterator's stream.")
    refuse_dry_run(params)
    count = limited(params, "Limit", _RECORDS_MAX)
    batch = await log.read(stream, shard, iterator.after, count)
    return {
        "Records": [described(stream, shard, each) for each in batch.records],
        "NextShardIterator": None if batch.next is None else batch.next.token(),
        "MillisBehindLatest": batch.behind_ms,
        "ChildShards": [child(each) for each in batch.children] or None,
    }


def described(stream: Stream, shard: Shard, record: Record) -> Mapping[str, Any]:
    """Return a record as the service model has it."""
    encryption = stream.settings["encryption"]
    return {
        "SequenceNumber": shard.sequence(record.position),
        "ApproximateArrivalTimestamp": moment(arrived_ms(record.position)),
        "Data": record.data,
        "PartitionKey": record.partition_key,
        "EncryptionType": None if encryption == "NONE" else encryption,
    }


def child(shard: Shard) -> Mapping[str, Any]:
    """Return a child shard as the service model has it."""
    parents = [each for each in (shard.parent, shard.adjacent_parent) if each is not None]
    return {
        "ShardId": shard.name,
        "ParentShards": [shard_name(each) for each in parents],
        "HashKeyRange": hash_range(shard),
    }
