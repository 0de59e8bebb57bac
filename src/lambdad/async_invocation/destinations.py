"""Who is told of an event's end, and what: destinations' records and dead letters. Pure.

Payloads are carried into records as they are, never parsed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from lambdad.async_invocation.policies import EventPolicy
from lambdad.async_invocation.retry_policy import Condition
from lambdad.domain.arns import LATEST
from lambdad.domain.async_events import (
    AsyncEvent,
    EventKind,
    Outcome,
    Progress,
    QueuedEvent,
    delivery_lane,
)

DEAD_LETTER = "dead-letter"
DESTINATION = "destination"

ERROR_MESSAGE_BYTES_MAX = 1_024


def reports(
    queued: QueuedEvent,
    policy: EventPolicy,
    condition: Condition,
    progress: Progress,
    now_ms: int,
) -> Sequence[AsyncEvent]:
    """Return what is to be delivered: to the destination and, for a failure, the dead letter."""
    failed = condition is not Condition.SUCCESS
    found = []
    destination = policy.on_failure if failed else policy.on_success
    if destination is not None:
        body = record(queued.event, condition, progress, now_ms)
        details = _destination_details(queued.event, failed, now_ms)
        found.append(_delivery(queued.event, destination, body, details, now_ms))
    if failed and policy.dead_letter_target is not None:
        details = _dead_letter_details(queued.event, condition, progress.outcome)
        target = policy.dead_letter_target
        found.append(_delivery(queued.event, target, queued.event.payload, details, now_ms))
    return found


def record(event: AsyncEvent, condition: Condition, progress: Progress, now_ms: int) -> bytes:
    """Return the document a destination receives."""
    context = {
        "requestId": event.request_id,
        "functionArn": event.key.arn(event.qualifier or LATEST),
        "condition": condition.value,
        "approximateInvokeCount": progress.tries,
    }
    members = [
        b'"version":"1.0"',
        b'"timestamp":' + _json(_timestamp(now_ms)),
        b'"requestContext":' + _json(context),
        b'"requestPayload":' + event.payload,
    ]
    outcome = progress.outcome
    # What was never run, or never will be, has no response.
    if progress.tries and outcome is not None and condition is not _ZERO:
        members.append(b'"responseContext":' + _json(_response_context(outcome)))
        members.append(b'"responsePayload":' + (outcome.payload or b"null"))
    return b"{" + b",".join(members) + b"}"


_ZERO = Condition.ZERO_RESERVED_CONCURRENCY


def _response_context(outcome: Outcome) -> Mapping[str, object]:
    context: dict[str, object] = {
        "statusCode": outcome.status_code,
        "executedVersion": outcome.executed_version,
    }
    if outcome.function_error is not None:
        context["functionError"] = outcome.function_error
    return context


def _delivery(
    event: AsyncEvent, target: str, payload: bytes, details: Mapping[str, str], now_ms: int
) -> AsyncEvent:
    return AsyncEvent(
        kind=EventKind.DELIVERY,
        lane=delivery_lane(event.key, target),
        key=event.key,
        qualifier=event.qualifier,
        request_id=event.request_id,
        payload=payload,
        accepted_ms=now_ms,
        trace_header=event.trace_header,
        target=target,
        details=details,
    )


def _destination_details(event: AsyncEvent, failed: bool, now_ms: int) -> Mapping[str, str]:
    moment = datetime.fromtimestamp(now_ms / 1_000, UTC)
    return {
        "form": DESTINATION,
        "outcome": "Failure" if failed else "Success",
        # The same for every attempt to deliver, so that one object comes of it.
        "object_key": f"aws/lambda/async/{event.key.name}/{moment:%Y/%m/%d}/"
        f"{moment:%Y-%m-%dT%H.%M.%S}-{event.request_id}",
    }


def _dead_letter_details(
    event: AsyncEvent, condition: Condition, outcome: Outcome | None
) -> Mapping[str, str]:
    # AWS: 200 for an error of the function, else the HTTP code of the refusal.
    code, message = (
        (429, condition.value)
        if outcome is None
        else (
            outcome.status_code,
            outcome.message,
        )
    )
    encoded = message.encode("utf-8", "replace")[:ERROR_MESSAGE_BYTES_MAX]
    return {
        "form": DEAD_LETTER,
        "RequestID": event.request_id,
        "ErrorCode": str(code),
        "ErrorMessage": encoded.decode("utf-8", "ignore"),
    }


def _timestamp(now_ms: int) -> str:
    moment = datetime.fromtimestamp(now_ms / 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now_ms % 1_000:03d}Z"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")
