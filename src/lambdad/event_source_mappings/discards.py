"""What a destination is told of records that were given up. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lambdad.async_invocation.destinations import DESTINATION
from lambdad.domain.async_events import AsyncEvent, EventKind, delivery_lane
from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.calls import Call
from lambdad.event_source_mappings.moments import with_milliseconds
from lambdad.event_source_mappings.retrying import (
    AGE_EXCEEDED,
    ATTEMPTS_EXHAUSTED,
    TOO_LARGE,
    Piece,
)
from lambdad.event_source_mappings.streams import Form

# What precedes the name of a topic that is a destination.
TOPIC = "kafka://"
# Topics are told the same by another name.
_ALONE = {ATTEMPTS_EXHAUSTED: "RetriesExhausted"}


def destination_of(mapping: EventSourceMapping) -> str | None:
    """Return the ARN that is told of failures, if there is one."""
    failure = (mapping.settings.get("DestinationConfig") or {}).get("OnFailure") or {}
    return failure.get("Destination")


def reports(
    mapping: EventSourceMapping,
    target: str,
    piece: Piece,
    *,
    condition: str,
    call: Call | None,
    shard_id: str,
    form: Form,
    now_s: float,
) -> Sequence[AsyncEvent]:
    """Return what is to be delivered; `call` is the last one, if there was any.

    A topic of Kafka is told of each record by itself, all others of the batch.
    """
    alone = target.startswith(TOPIC)
    pieces = [replace(piece, records=[each]) for each in piece.records] if alone else [piece]
    request_id = call.request_id if call is not None else str(uuid4())
    head = _head(mapping, piece, request_id, condition=condition, call=call, alone=alone)
    events = []
    for part in pieces:
        document = {**head, "version": "1.0", "timestamp": with_milliseconds(now_s)}
        document.update(form.batch(shard_id, part.records, alone=alone))
        if alone:
            document["payload"] = json.loads(form.event(part.records))
        elif target.split(":")[2] == "s3":
            document["payload"] = form.event(part.records).decode()
        details = {"form": DESTINATION, "outcome": "Failure"}
        if alone:
            details["sequence"] = part.records[0].sequence
        else:
            details["object_key"] = _object_key(mapping, shard_id, now_s)
        events.append(_event(mapping, target, document, details, now_s))
    return events


def _head(
    mapping: EventSourceMapping,
    piece: Piece,
    request_id: str,
    *,
    condition: str,
    call: Call | None,
    alone: bool,
) -> dict[str, Any]:
    function_arn = mapping.function.arn()
    if alone:
        function_arn = mapping.function.arn(mapping.qualifier or "$LATEST")
        condition = _ALONE.get(condition, condition)
    head: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": piece.calls,
        }
    }
    if condition == TOO_LARGE:
        head["responseContext"] = None
    elif call is not None and condition != AGE_EXCEEDED:
        head["responseContext"] = {
            "statusCode": 200,
            "executedVersion": call.executed_version,
            "functionError": call.function_error,
        }
    return head


def _object_key(mapping: EventSourceMapping, shard_id: str, now_s: float) -> str:
    moment = datetime.fromtimestamp(now_s, UTC)
    day, second = f"{moment:%Y/%m/%d}", f"{moment:%Y-%m-%dT%H.%M.%S}"
    return f"aws/lambda/{mapping.uuid}/{shard_id}/{day}/{second}-{uuid4()}"


def _event(
    mapping: EventSourceMapping,
    target: str,
    document: Mapping[str, Any],
    details: Mapping[str, str],
    now_s: float,
) -> AsyncEvent:
    return AsyncEvent(
        kind=EventKind.DELIVERY,
        lane=delivery_lane(mapping.function, target),
        key=mapping.function,
        qualifier=mapping.qualifier,
        request_id=document["requestContext"]["requestId"],
        payload=json.dumps(document, separators=(",", ":")).encode(),
        accepted_ms=int(now_s * 1_000),
        target=target,
        details=details,
    )
