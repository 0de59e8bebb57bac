"""RabbitMQ's messages as events (developer guide, "Using Lambda with Amazon MQ"). Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Members of `basicProperties` in AWS's order, and what the protocol calls them.
_PROPERTIES = {
    "contentType": "content_type",
    "contentEncoding": "content_encoding",
    "headers": "headers",
    "deliveryMode": "delivery_mode",
    "priority": "priority",
    "correlationId": "correlation_id",
    "replyTo": "reply_to",
    "expiration": "expiration",
    "messageId": "message_id",
    "timestamp": "timestamp",
    "type": "message_type",
    "userId": "user_id",
    "appId": "app_id",
    "clusterId": "cluster_id",
}


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as it stands in an event; `tag` is what it is acknowledged by."""

    tag: int
    described: Mapping[str, Any]
    body: bytes
    document: bytes


def message_of(
    properties: Mapping[str, Any], body: bytes, *, tag: int, redelivered: bool
) -> QueueMessage:
    """Return a message; `properties` under the names of AMQP's header."""
    named = {name: _value(properties.get(own)) for name, own in _PROPERTIES.items()}
    headers = properties.get("headers")
    named["headers"] = None if headers is None else {key: _header(headers[key]) for key in headers}
    # The client reads a member that is not there as an empty text.
    named["clusterId"] = named["clusterId"] or None
    named["bodySize"] = len(body)
    described = {"basicProperties": named, "redelivered": redelivered}
    record = {**described, "data": base64.b64encode(body).decode()}
    return QueueMessage(tag, described, body, json.dumps(record, separators=(",", ":")).encode())


def event_of(
    messages: Sequence[QueueMessage], *, source_arn: str, queue: str, virtual_host: str
) -> bytes:
    """Return the event with these messages of one queue."""
    head = json.dumps(
        {
            "eventSource": "aws:rmq",
            "eventSourceArn": source_arn,
            "rmqMessagesByQueue": {f"{queue}::{virtual_host}": []},
        },
        separators=(",", ":"),
    ).removesuffix("]}}")
    return head.encode() + b",".join(each.document for each in messages) + b"]}}"


def _value(value: object) -> Any:
    return _moment(value) if isinstance(value, datetime) else value


def _header(value: Any) -> Any:
    """Return a header's value as Java's client for AMQP has it, in JSON."""
    if isinstance(value, str | bytes | bytearray):
        content = value.encode() if isinstance(value, str) else bytes(value)
        return {"bytes": [byte - 256 if byte > 127 else byte for byte in content]}
    if isinstance(value, Mapping):
        return {name: _header(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_header(each) for each in value]
    return float(value) if isinstance(value, Decimal) else _value(value)


def _moment(value: datetime) -> str:
    """Return for example `Jan 1, 1970, 12:33:41 AM`."""
    moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    half = "AM" if moment.hour < 12 else "PM"
    day = f"{_MONTHS[moment.month - 1]} {moment.day}, {moment.year}"
    return f"{day}, {moment.hour % 12 or 12}:{moment:%M:%S} {half}"
