"""What a subscription sends: documents as CloudWatch Logs makes them, and compressed. Pure."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdad.domain.logs import LogEvent, LogGroupKey
from lambdad.observability.patterns import compile_extractor

_LEVEL = 6
Selected = Sequence[tuple[LogEvent, Mapping[str, str]]]


def selector(pattern: str) -> Callable[[Sequence[LogEvent]], Mapping[str, Selected]]:
    """Return what picks the events that a pattern wants, by stream, each with its fields."""
    extract = compile_extractor(pattern)
    # Only of space-delimited patterns do the fields go with the event.
    fields = pattern.strip().startswith("[")

    def select(events: Sequence[LogEvent]) -> Mapping[str, Selected]:
        found: dict[str, list[tuple[LogEvent, Mapping[str, str]]]] = {}
        for event in events:
            values = extract(event.message)
            if values is not None:
                found.setdefault(event.stream, []).append((event, values if fields else {}))
        return found

    return select


def data_message(key: LogGroupKey, stream: str, name: str, selected: Selected) -> bytes:
    """Return events of one log stream, compressed."""
    return _compressed(
        {
            "messageType": "DATA_MESSAGE",
            "owner": key.account_id,
            "logGroup": key.name,
            "logStream": stream,
            "subscriptionFilters": [name],
            "logEvents": [_event(event, values) for event, values in selected],
        }
    )


def _event(event: LogEvent, values: Mapping[str, str]) -> Mapping[str, Any]:
    document = {
        "id": f"{event.event_id:056d}",
        "timestamp": event.timestamp_ms,
        "message": event.message,
    }
    if values:
        plain = {name.removeprefix("$"): value for name, value in values.items()}
        return {**document, "extractedFields": plain}
    return document


def control_message(now_ms: int) -> bytes:
    """Return what a stream gets when it is subscribed, to see whether it takes records."""
    text = "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."
    return _compressed(
        {
            "messageType": "CONTROL_MESSAGE",
            "owner": "CloudwatchLogs",
            "logGroup": "",
            "logStream": "",
            "subscriptionFilters": [],
            "logEvents": [{"id": "", "timestamp": now_ms, "message": text}],
        }
    )


def function_event(message: bytes) -> bytes:
    """Return the event that a function gets."""
    return json.dumps({"awslogs": {"data": base64.b64encode(message).decode()}}).encode()


def _compressed(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return gzip.compress(text.encode(), _LEVEL, mtime=0)
