"""Listing and describing streams, and reading their records.

Each stream has one shard, so that all changes of a table come in order.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.dynamodb import record_rows
from lambdad.neighbours.dynamodb.errors import ResourceNotFoundException, ValidationException
from lambdad.neighbours.dynamodb.model import Stream
from lambdad.neighbours.dynamodb.record_rows import Change
from lambdad.neighbours.dynamodbstreams.iterators import (
    Iterator,
    parse,
    sequence_of,
    sequence_text,
)
from lambdad.neighbours.dynamodbstreams.service import STREAMS, Context

_LIST_MAX = 100
_RECORDS_MAX = 1_000
_BYTES_MAX = 1024 * 1024


def _stream_of(context: Context, arn: str) -> Stream:
    stream = context.services.tables.stream(arn)
    if stream is None or stream.account_id != context.account_id:
        raise ResourceNotFoundException(f"Requested resource not found: Stream: {arn} not found")
    return stream


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1_000, UTC)


@STREAMS.operation("ListStreams")
async def list_streams(context: Context, params: Params) -> Result:
    """Return the streams of an account in a region, or of one of its tables."""
    limit, start = params.get("Limit", _LIST_MAX), params.get("ExclusiveStartStreamArn")
    name = params.get("TableName")
    if name is not None and name.startswith("arn:"):
        name = name.rpartition("/")[2]
    place = (context.account_id, context.region)
    found = [
        stream
        for stream in context.services.tables.streams()
        if (stream.account_id, stream.region) == place and name in (None, stream.table_name)
    ]
    arns = [stream.arn for stream in found]
    if start is not None:
        found = found[arns.index(start) + 1 :] if start in arns else []
    page = found[:limit]
    return {
        "Streams": [
            {"StreamArn": each.arn, "TableName": each.table_name, "StreamLabel": each.label}
            for each in page
        ],
        "LastEvaluatedStreamArn": page[-1].arn if len(found) > len(page) else None,
    }


@STREAMS.operation("DescribeStream")
async def describe_stream(context: Context, params: Params) -> Result:
    """Describe a stream and its shard."""
    stream = _stream_of(context, params["StreamArn"])
    last = None if stream.last_sequence is None else sequence_text(stream.last_sequence)
    shard = {
        "ShardId": stream.shard_id,
        "SequenceNumberRange": {
            "StartingSequenceNumber": sequence_text(stream.first_sequence),
            "EndingSequenceNumber": last,
        },
    }
    # It is the first of one and has no parent, so nothing follows it and it is nobody's child.
    after = params.get("ExclusiveStartShardId")
    wanted = after is None or after < stream.shard_id
    if params.get("ShardFilter"):
        wanted = False
    return {
        "StreamDescription": {
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": "ENABLED" if stream.closed_ms is None else "DISABLED",
            "StreamViewType": stream.view_type,
            "CreationRequestDateTime": _time(stream.created_ms),
            "TableName": stream.table_name,
            "KeySchema": stream.key_schema,
            "Shards": [shard] if wanted else [],
        }
    }


@STREAMS.operation("GetShardIterator")
async def get_shard_iterator(context: Context, params: Params) -> Result:
    """Return where to begin to read."""
    stream = _stream_of(context, params["StreamArn"])
    if params["ShardId"] != stream.shard_id:
        raise ResourceNotFoundException(
            f"Requested resource not found: Shard: {params['ShardId']} in Stream: {stream.arn} "
            "not found"
        )
    tables, kind = context.services.tables, params["ShardIteratorType"]
    sequence = params.get("SequenceNumber")
    exact = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    if exact != (sequence is not None):
        reason = "required" if exact else "not allowed"
        raise ValidationException(f"SequenceNumber is {reason} for ShardIteratorType {kind}")
    if sequence is not None:
        number = sequence_of(sequence, stream)
        after = number - 1 if kind == "AT_SEQUENCE_NUMBER" else number
    elif kind == "LATEST":
        after = await tables.db.read(record_rows.last_sequence)
    else:
        after = stream.first_sequence - 1
    position = Iterator(stream.arn, after, tables.now_ms(), exact)
    if exact:
        trimmed = await tables.db.read(partial(record_rows.trimmed, stream=stream))
        position.check_next(trimmed)
    return {"ShardIterator": position.text()}


@STREAMS.operation("GetRecords")
async def get_records(context: Context, params: Params) -> Result:
    """Return records, oldest first, and where to go on; nowhere once a closed shard is read."""
    tables = context.services.tables
    position = parse(params["ShardIterator"], tables.now_ms())
    stream = _stream_of(context, position.arn)
    limit = min(params.get("Limit", _RECORDS_MAX), _RECORDS_MAX)
    job = partial(
        record_rows.after,
        stream=stream,
        sequence=position.after,
        limit=limit,
        bytes_max=_BYTES_MAX,
    )
    found = await tables.db.read(job)
    after = found[-1].sequence if found else position.after
    ended = (
        stream.closed_ms is not None
        and len(found) < limit
        and not (
            await tables.db.read(
                partial(record_rows.after, stream=stream, sequence=after, limit=1, bytes_max=1)
            )
        )
    )
    following = Iterator(stream.arn, after, tables.now_ms())
    return {
        "Records": [_record(stream, each) for each in found],
        "NextShardIterator": None if ended else following.text(),
    }


def _record(stream: Stream, change: Change) -> dict[str, Any]:
    mark = f"{stream.arn}:{change.sequence}".encode()
    service = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    return {
        "eventID": hashlib.blake2b(mark, digest_size=16).hexdigest(),
        "eventName": change.event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream.region,
        "dynamodb": {
            "ApproximateCreationDateTime": _time(change.created_ms),
            "Keys": change.images["Keys"],
            "NewImage": change.images.get("NewImage"),
            "OldImage": change.images.get("OldImage"),
            "SequenceNumber": sequence_text(change.sequence),
            "SizeBytes": change.size,
            "StreamViewType": stream.view_type,
        },
        "userIdentity": service if change.expired else None,
    }
