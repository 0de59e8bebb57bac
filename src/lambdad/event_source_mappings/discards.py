"""What a destination is told of records that were given up. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lambdad.async_invocation.destinations import DESTINATION
from lambdad.domain.async_events import AsyncEvent, EventKind, delivery_lane
from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.batching import event_of
from lambdad.event_source_mappings.calls import Call
from lambdad.event_source_mappings.moments import with_milliseconds
from lambdad.event_source_mappings.retrying import AGE_EXCEEDED, Piece
from lambdad.event_source_mappings.streams import Stream


def destination_of(mapping: EventSourceMapping) -> str | None:
    """Return the ARN that is told of failures, if there is one."""
    failure = (mapping.settings.get("DestinationConfig") or {}).get("OnFailure") or {}
    return failure.get("Destination")


def report(
    mapping: EventSourceMapping,
    target: str,
    piece: Piece,
    *,
    condition: str,
    call: Call | None,
    shard_id: str,
    stream: Stream,
    now_s: float,
) -> AsyncEvent:
    """Return what is to be delivered; `call` is the last one, if there was any."""
    request_id = call.request_id if call is not None else str(uuid4())
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": mapping.function.arn(),
            "condition": condition,
            "approximateInvokeCount": piece.calls,
        }
    }
    if call is not None and condition != AGE_EXCEEDED:
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": call.executed_version,
            "functionError": call.function_error,
        }
    document["version"] = "1.0"
    document["timestamp"] = with_milliseconds(now_s)
    document[stream.batch_info] = _batch(mapping, piece, shard_id, stream)
    if target.split(":")[2] == "s3":
        document["payload"] = event_of(piece.records).decode()
    moment = datetime.fromtimestamp(now_s, UTC)
    return AsyncEvent(
        kind=EventKind.DELIVERY,
        lane=delivery_lane(mapping.function, target),
        key=mapping.function,
        qualifier=mapping.qualifier,
        request_id=request_id,
        payload=json.dumps(document, separators=(",", ":")).encode(),
        accepted_ms=int(now_s * 1_000),
        target=target,
        details={
            "form": DESTINATION,
            "outcome": "Failure",
            "object_key": f"aws/lambda/{mapping.uuid}/{shard_id}/{moment:%Y/%m/%d}/"
            f"{moment:%Y-%m-%dT%H.%M.%S}-{uuid4()}",
        },
    )


def _batch(
    mapping: EventSourceMapping, piece: Piece, shard_id: str, stream: Stream
) -> Mapping[str, Any]:
    first, last = piece.records[0], piece.records[-1]
    return {
        "shardId": shard_id,
        "startSequenceNumber": first.sequence,
        "endSequenceNumber": last.sequence,
        "approximateArrivalOfFirstRecord": stream.moment(first.arrived_s),
        "approximateArrivalOfLastRecord": stream.moment(last.arrived_s),
        "batchSize": len(piece.records),
        "streamArn": mapping.settings["EventSourceArn"],
    }
