"""What a subscriber is sent for what happened: by its API, schema version and types. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdad.dataplane.telemetry_api.subscription import Api, Subscription
from lambdad.observability.platform_events import PlatformEvent, event_time

# The first Telemetry API schema sent JSON lines as text all the same.
_TEXT_ONLY = "2022-07-01"
_WITH_RUNTIME_DONE = "2021-03-18"
DROPPED_BY_TELEMETRY = (
    "Some logs were dropped because the downstream consumer is slower than the logs production rate"
)
DROPPED_BY_LOGS = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing to be told.

    Attributes:
        kind: `platform`, `function` or `extension`.
        moment: when, UTC.
        content: the platform's event, or the line that was printed.
        structured: whether the function logs in the format JSON.
    """

    kind: str
    moment: datetime
    content: PlatformEvent | str
    structured: bool = False


def rendered(subscription: Subscription, happening: Happening) -> Iterator[bytes]:
    """Return the JSON records for one subscriber: none, one, or with the Logs API two."""
    if happening.kind not in subscription.types:
        return
    time = event_time(happening.moment)
    if isinstance(happening.content, str):
        yield _encoded(time, happening.kind, _printed(subscription, happening))
    elif subscription.api is Api.TELEMETRY:
        # Faults are told by the status of other events here.
        if happening.content.type != "platform.fault":
            yield _encoded(time, happening.content.type, happening.content.record)
    else:
        for kind, record in _as_logs(subscription.schema_version, happening.content):
            yield _encoded(time, kind, record)


def logs_dropped(subscription: Subscription, moment: datetime, records: int, size: int) -> bytes:
    """Return the record of what a subscriber lost."""
    telemetry = subscription.api is Api.TELEMETRY
    record = {
        "reason": DROPPED_BY_TELEMETRY if telemetry else DROPPED_BY_LOGS,
        "droppedRecords": records,
        "droppedBytes": size,
    }
    return _encoded(event_time(moment), "platform.logsDropped", record)


def _printed(subscription: Subscription, happening: Happening) -> object:
    line = happening.content
    assert isinstance(line, str)  # noqa: S101 - asked before
    legacy = subscription.api is Api.LOGS or subscription.schema_version == _TEXT_ONLY
    if legacy or not happening.structured or not line.lstrip().startswith("{"):
        return line
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return record if isinstance(record, dict) else line


def _as_logs(version: str, event: PlatformEvent) -> Iterator[tuple[str, object]]:
    """Name and record of an event as the Logs API had them."""
    record = event.record
    if event.type in ("platform.extension", "platform.logsSubscription", "platform.fault"):
        yield event.type, record
        return
    assert not isinstance(record, str)  # noqa: S101 - only a fault is text
    if event.type == "platform.start":
        yield event.type, _members(record, "requestId", "version")
    elif event.type == "platform.runtimeDone" and version == _WITH_RUNTIME_DONE:
        yield event.type, _members(record, "requestId", "status")
    elif event.type == "platform.report":
        yield "platform.end", _members(record, "requestId")
        yield event.type, _members(record, "requestId", "metrics", "tracing")


def _members(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


def _encoded(time: str, kind: str, record: object) -> bytes:
    document = {"time": time, "type": kind, "record": record}
    return json.dumps(document, separators=(",", ":")).encode()
