"""`FilterLogEvents`: what all of a group's streams say, oldest first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.logs.events import PAGE_BYTES, PAGE_EVENTS
from lambdad.api.logs.service import (
    LOGS,
    InvalidParameterException,
    existing_group,
    key_of,
    stream_absent,
)
from lambdad.api.logs.streams import all_streams, find_stream
from lambdad.api.logs.tokens import parse_position_token, position_token
from lambdad.domain.logs import LogEvent, LogGroupKey, LogQuery
from lambdad.observability.patterns import InvalidPattern, Matcher, compile_pattern
from lambdad.storage.base import LogStore

# How many events are read at once, and how much text is looked at for one answer. A request that
# finds little ends with a token, as AWS's do, instead of holding the server.
_CHUNK_MIN = 100
_CHUNK_MAX = 1_000
_SCAN_BYTES = 8 * 1024 * 1024


@LOGS.operation("FilterLogEvents")
async def filter_log_events(context: RequestContext, params: Params) -> Result:
    """Return a page of the events that match, by time."""
    key = key_of(context, params)
    try:
        matcher = compile_pattern(params.get("filterPattern") or "")
    except InvalidPattern as error:
        raise InvalidParameterException(str(error)) from error
    start_ms, end_ms = params.get("startTime"), params.get("endTime")
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise InvalidParameterException("endTime must not be earlier than startTime.")
    token = params.get("nextToken")
    after = parse_position_token(token) if token else None
    await existing_group(context, key)
    store = context.services.log_store
    query = LogQuery(
        streams=await _streams(store, key, params),
        start_ms=start_ms,
        # AWS: here the end belongs to the range, other than in GetLogEvents.
        end_ms=None if end_ms is None else end_ms + 1,
        after=after,
    )
    page = await _search(store, key, query, matcher, params.get("limit") or PAGE_EVENTS)
    # AWS: searchedLogStreams has been an empty list since 2019 (API reference).
    result: dict[str, Any] = {
        "events": [_describe(event) for event in page.events],
        "searchedLogStreams": [],
    }
    if page.after is not None:
        result["nextToken"] = position_token(page.after)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _PageOfEvents:
    """Events found, and behind which one the search goes on; None when all was seen."""

    events: Sequence[LogEvent]
    after: tuple[int, int] | None


async def _search(
    store: LogStore, key: LogGroupKey, query: LogQuery, matcher: Matcher, limit: int
) -> _PageOfEvents:
    found: list[LogEvent] = []
    scanned = answered = 0
    after = query.after
    size = _CHUNK_MIN
    while True:
        chunk = await store.events(key, replace(query, after=after, limit=size))
        chunk_bytes = 0
        for event in chunk:
            weight = len(event.message) + 100
            if matcher(event.message):
                if found and answered + weight > PAGE_BYTES:
                    return _PageOfEvents(events=found, after=after)
                found.append(event)
                answered += weight
            after = (event.timestamp_ms, event.event_id)
            chunk_bytes += weight
            if len(found) == limit:
                return _PageOfEvents(events=found, after=after)
        if len(chunk) < size:
            return _PageOfEvents(events=found, after=None)
        scanned += chunk_bytes
        if scanned >= _SCAN_BYTES:
            return _PageOfEvents(events=found, after=after)
        size = _next_size(chunk_bytes // size)
        # Matching costs time and a store in memory never waits: let others have their turn.
        await asyncio.sleep(0)


def _next_size(average_bytes: int) -> int:
    """How many events of this size make up about as much as one answer may hold."""
    return max(_CHUNK_MIN, min(_CHUNK_MAX, PAGE_BYTES // max(1, average_bytes)))


async def _streams(store: LogStore, key: LogGroupKey, params: Params) -> Sequence[str] | None:
    names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
    if names and prefix:
        raise InvalidParameterException(
            "Cannot specify both logStreamNamePrefix and logStreamNames."
        )
    if prefix:
        return [stream.name for stream in await all_streams(store, key, prefix)]
    if not names:
        return None
    for name in names:
        if await find_stream(store, key, name) is None:
            raise stream_absent()
    return list(dict.fromkeys(names))


def _describe(event: LogEvent) -> dict[str, Any]:
    return {
        "logStreamName": event.stream,
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": event.ingestion_ms,
        "eventId": f"{event.event_id:056d}",
    }
