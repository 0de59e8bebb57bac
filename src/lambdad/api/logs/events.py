"""Log events of one stream: putting them there and reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.logs.service import (
    LOGS,
    InvalidParameterException,
    existing_group,
    key_of,
    key_of_name,
    now_ms,
    stream_absent,
)
from lambdad.api.logs.streams import find_stream
from lambdad.api.logs.tokens import EventToken, parse_event_token
from lambdad.domain.logs import LogEvent, LogGroup, LogQuery, segments_of

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
# AWS: limits of PutLogEvents (API reference).
_BATCH_BYTES_MAX = 1_048_576
_EVENT_BYTES_MAX = 1_048_576
_EVENT_OVERHEAD_BYTES = 26
_AHEAD_MS_MAX = 2 * _HOUR_MS
_AGE_MS_MAX = 14 * _DAY_MS
# A page of events: AWS's default and limit.
PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576
_END_OF_TIME = 2**63 - 1


@LOGS.operation("PutLogEvents")
async def put_log_events(context: RequestContext, params: Params) -> Result:
    """Store events in an existing stream."""
    key = key_of_name(context, params["logGroupName"])
    group = await existing_group(context, key)
    name = params["logStreamName"]
    store = context.services.log_store
    if await find_stream(store, key, name) is None:
        raise stream_absent()
    now = now_ms(context)
    events = [
        LogEvent(
            stream=name,
            timestamp_ms=event["timestamp"],
            message=event["message"],
            ingestion_ms=now,
        )
        for event in params["logEvents"]
    ]
    check_batch(events)
    accepted, rejected = accept(events, group, now)
    if accepted:
        await store.append([(key, segments_of(accepted))])
    result: dict[str, Any] = {"nextSequenceToken": f"{now:056d}"}
    if rejected:
        result["rejectedLogEventsInfo"] = rejected
    return result


def check_batch(events: Sequence[LogEvent]) -> None:
    """Hold AWS's limits of a batch.

    Raises:
        InvalidParameterException: nothing of the batch may be stored.
    """
    sizes = [_size(event) for event in events]
    if max(sizes) > _EVENT_BYTES_MAX:
        raise InvalidParameterException(
            f"Log event too large: {max(sizes)} bytes exceeds limit of {_EVENT_BYTES_MAX}"
        )
    if sum(sizes) > _BATCH_BYTES_MAX:
        raise InvalidParameterException(
            f"Upload too large: {sum(sizes)} bytes exceeds limit of {_BATCH_BYTES_MAX}"
        )
    times = [event.timestamp_ms for event in events]
    if any(later < earlier for earlier, later in pairwise(times)):
        raise InvalidParameterException(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if times[-1] - times[0] > _DAY_MS:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than "
            "24 hours."
        )


def accept(
    events: Sequence[LogEvent], group: LogGroup, now: int
) -> tuple[Sequence[LogEvent], Mapping[str, int]]:
    """Return what of an ordered batch is stored, and `rejectedLogEventsInfo` of the rest."""
    rejected: dict[str, int] = {}
    too_old = sum(event.timestamp_ms < now - _AGE_MS_MAX for event in events)
    expired = 0
    if group.retention_days is not None:
        cutoff_ms = now - group.retention_days * _DAY_MS
        expired = sum(event.timestamp_ms < cutoff_ms for event in events)
    fit = sum(event.timestamp_ms <= now + _AHEAD_MS_MAX for event in events)
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    if fit < len(events):
        rejected["tooNewLogEventStartIndex"] = fit
    return events[max(too_old, expired) : fit], rejected


@LOGS.operation("GetLogEvents")
async def get_log_events(context: RequestContext, params: Params) -> Result:
    """Read a stream, forward or backward, a page at a time."""
    key = key_of(context, params)
    await existing_group(context, key)
    store = context.services.log_store
    stream = params["logStreamName"]
    if await find_stream(store, key, stream) is None:
        raise stream_absent()
    start_ms, end_ms = params.get("startTime"), params.get("endTime")
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise InvalidParameterException("endTime must not be earlier than startTime.")
    text = params.get("nextToken")
    token = parse_event_token(text) if text else None
    forward = bool(params.get("startFromHead")) if token is None else token.forward
    events = await store.events(
        key,
        LogQuery(
            streams=[stream],
            start_ms=start_ms,
            end_ms=end_ms,
            after=None if token is None else token.position,
            backward=not forward,
            limit=params.get("limit") or PAGE_EVENTS,
        ),
    )
    events = within_bytes(events, PAGE_BYTES)
    if not forward:
        events = events[::-1]
    edge = token or _edge(start_ms, end_ms, forward=forward)
    newer, older = _tokens(events, edge)
    return {
        "events": [
            {
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingestion_ms,
            }
            for event in events
        ],
        "nextForwardToken": str(newer),
        "nextBackwardToken": str(older),
    }


def within_bytes(events: Sequence[LogEvent], limit: int) -> Sequence[LogEvent]:
    """Return as many of the first events as fit into `limit` bytes, at least one."""
    size = 0
    for count, event in enumerate(events):
        size += _size(event)
        if size > limit and count:
            return events[:count]
    return events


def _edge(start_ms: int | None, end_ms: int | None, *, forward: bool) -> EventToken:
    """Return where a reader without a token stands: before everything, or behind it."""
    if forward:
        return EventToken(forward=True, position=(start_ms or 0, 0))
    return EventToken(forward=False, position=(_END_OF_TIME if end_ms is None else end_ms, 0))


def _tokens(events: Sequence[LogEvent], edge: EventToken) -> tuple[EventToken, EventToken]:
    """Return the tokens behind and before a page; an empty page gives its own token again."""
    if events:
        first, last = events[0], events[-1]
        newer = (last.timestamp_ms, last.event_id)
        older = (first.timestamp_ms, first.event_id)
    else:
        # A position excludes the event that stands there, so that turning round needs a step.
        timestamp_ms, event_id = edge.position
        newer = (timestamp_ms, event_id if edge.forward else max(0, event_id - 1))
        older = (timestamp_ms, event_id + 1 if edge.forward else event_id)
    return EventToken(forward=True, position=newer), EventToken(forward=False, position=older)


def _size(event: LogEvent) -> int:
    return len(event.message.encode("utf-8", "replace")) + _EVENT_OVERHEAD_BYTES
