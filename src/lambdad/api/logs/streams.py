"""Log streams."""

from __future__ import annotations

from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.logs.service import (
    LOGS,
    InvalidParameterException,
    ResourceAlreadyExistsException,
    existing_group,
    group_absent,
    group_arn,
    key_of,
    key_of_name,
    now_ms,
    stream_absent,
)
from lambdad.api.logs.tokens import invalid_token, name_token, parse_name_token
from lambdad.domain.logs import LogGroupKey, LogStream
from lambdad.storage.base import AlreadyExists, LogStore

_PAGE = 50
_CHUNK = 1_000
_BY_TIME = "LastEventTime"


@LOGS.operation("CreateLogStream")
async def create_log_stream(context: RequestContext, params: Params) -> Result:
    """Create an empty stream."""
    key = key_of_name(context, params["logGroupName"])
    stream = LogStream(name=params["logStreamName"], created_ms=now_ms(context))
    try:
        await context.services.log_store.create_stream(key, stream)
    except AlreadyExists as error:
        raise ResourceAlreadyExistsException("The specified log stream already exists") from error
    except KeyError as error:
        raise group_absent() from error
    return {}


@LOGS.operation("DeleteLogStream")
async def delete_log_stream(context: RequestContext, params: Params) -> Result:
    """Delete a stream with its events."""
    key = key_of_name(context, params["logGroupName"])
    await existing_group(context, key)
    if not await context.services.log_store.delete_stream(key, params["logStreamName"]):
        raise stream_absent()
    return {}


@LOGS.operation("DescribeLogStreams")
async def describe_log_streams(context: RequestContext, params: Params) -> Result:
    """List streams by name or by the time of their last event."""
    key = key_of(context, params)
    prefix = params.get("logStreamNamePrefix") or ""
    by_time = params.get("orderBy") == _BY_TIME
    if by_time and prefix:
        raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
    await existing_group(context, key)
    descending = bool(params.get("descending"))
    limit = params.get("limit") or _PAGE
    token = params.get("nextToken")
    store = context.services.log_store
    if by_time or descending:
        streams = await all_streams(store, key, prefix)
        streams.sort(key=_last_event if by_time else _name, reverse=descending)
        streams = _behind(streams, parse_name_token(token)) if token else streams
    else:
        after = parse_name_token(token) if token else None
        streams = list(await store.streams(key, prefix=prefix, after=after, limit=limit + 1))
    result: dict[str, Any] = {"logStreams": [_describe(key, stream) for stream in streams[:limit]]}
    if len(streams) > limit:
        result["nextToken"] = name_token(streams[limit - 1].name)
    return result


async def all_streams(store: LogStore, key: LogGroupKey, prefix: str) -> list[LogStream]:
    """Return every stream of a group whose name begins with `prefix`, by name."""
    streams: list[LogStream] = []
    after: str | None = None
    while True:
        chunk = await store.streams(key, prefix=prefix, after=after, limit=_CHUNK)
        streams += chunk
        if len(chunk) < _CHUNK:
            return streams
        after = chunk[-1].name


async def find_stream(store: LogStore, key: LogGroupKey, name: str) -> LogStream | None:
    """Return the stream of exactly this name."""
    # Of all names that begin with a name, the name itself is the first.
    for stream in await store.streams(key, prefix=name, after=None, limit=1):
        if stream.name == name:
            return stream
    return None


def _behind(streams: list[LogStream], name: str) -> list[LogStream]:
    for position, stream in enumerate(streams):
        if stream.name == name:
            return streams[position + 1 :]
    raise invalid_token()


def _name(stream: LogStream) -> str:
    return stream.name


def _last_event(stream: LogStream) -> tuple[int, str]:
    last = stream.last_event_ms
    return (stream.created_ms if last is None else last, stream.name)


def _describe(key: LogGroupKey, stream: LogStream) -> dict[str, Any]:
    described: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": f"{group_arn(key)}:log-stream:{stream.name}",
        # AWS has reported 0 for streams since June 2019.
        "storedBytes": 0,
    }
    if stream.first_event_ms is not None:
        described["firstEventTimestamp"] = stream.first_event_ms
    if stream.last_event_ms is not None:
        described["lastEventTimestamp"] = stream.last_event_ms
    if stream.last_ingestion_ms is not None:
        described["lastIngestionTime"] = stream.last_ingestion_ms
        described["uploadSequenceToken"] = f"{stream.last_ingestion_ms:056d}"
    return described
