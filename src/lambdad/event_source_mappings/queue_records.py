"""SQS messages as records of an event (developer guide, "Using Lambda with Amazon SQS"). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """A received message.

    Attributes:
        record: as in the event.
        document: the same as JSON.
    """

    record: Mapping[str, Any]
    document: bytes

    @property
    def message_id(self) -> str:
        """What a function names it by."""
        return str(self.record["messageId"])

    @property
    def receipt(self) -> str:
        """What it is deleted with."""
        return str(self.record["receiptHandle"])

    @property
    def body(self) -> str:
        """What was sent."""
        return str(self.record["body"])

    @property
    def group(self) -> str | None:
        """Its message group in a FIFO queue."""
        return self._attribute("MessageGroupId")

    @property
    def trace(self) -> str | None:
        """The trace that it was sent in."""
        return self._attribute("AWSTraceHeader")

    @property
    def sent_ms(self) -> int | None:
        """When it was sent, epoch milliseconds."""
        sent = self._attribute("SentTimestamp")
        return int(sent) if sent is not None else None

    def _attribute(self, name: str) -> str | None:
        value = self.record["attributes"].get(name)
        return None if value is None else str(value)


def message_of(received: Mapping[str, Any], queue_arn: str) -> Message:
    """Return a message as ReceiveMessage answered it, in JSON."""
    record: dict[str, Any] = {
        "messageId": received["MessageId"],
        "receiptHandle": received["ReceiptHandle"],
        "body": received.get("Body", ""),
        "attributes": received.get("Attributes") or {},
        "messageAttributes": {
            name: _attribute(value)
            for name, value in (received.get("MessageAttributes") or {}).items()
        },
    }
    if digest := received.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = digest
    record["md5OfBody"] = received.get("MD5OfBody", "")
    record["eventSource"] = "aws:sqs"
    record["eventSourceARN"] = queue_arn
    record["awsRegion"] = queue_arn.split(":")[3]
    return Message(record, json.dumps(record, separators=(",", ":")).encode())


def _attribute(value: Mapping[str, Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name, own in (("StringValue", "stringValue"), ("BinaryValue", "binaryValue")):
        if value.get(name) is not None:
            found[own] = value[name]
    found["stringListValues"] = value.get("StringListValues") or []
    found["binaryListValues"] = value.get("BinaryListValues") or []
    found["dataType"] = value.get("DataType", "String")
    return found
