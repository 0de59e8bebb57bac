"""What a queue and a message are: values, and the two forms of their names. Pure.

Mutable: `Queue`, which the event loop alone changes, after the database has.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.sqs.errors import ReceiptHandleIsInvalid

QueueKey = tuple[str, str, str]
_SEQUENCE_BASE = 18_849_496_460_467_696_128
_SEQUENCE_STEP = 256


@dataclass(slots=True, eq=False)
class Queue:
    """A queue that exists, and who waits for its messages.

    Attributes:
        attributes: those that can be set, with their defaults.
        next_due_ms: no message can be received before; None if there is none at all.
        claims: not fewer than the messages in flight.
        waiters: receives that wait for a message.
    """

    id: int
    account_id: str
    region: str
    name: str
    created_ms: int
    modified_ms: int
    attributes: dict[str, str]
    tags: dict[str, str]
    next_due_ms: int | None = 0
    claims: int = 0
    purged_s: float | None = None
    deleted: bool = False
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)
    timer: asyncio.TimerHandle | None = None

    @property
    def key(self) -> QueueKey:
        """Account, region, name."""
        return (self.account_id, self.region, self.name)

    @property
    def arn(self) -> str:
        """`arn:aws:sqs:region:account:name`."""
        return f"arn:aws:sqs:{self.region}:{self.account_id}:{self.name}"

    @property
    def fifo(self) -> bool:
        """Whether order is kept."""
        return self.attributes.get("FifoQueue") == "true"

    def number(self, attribute: str) -> int:
        """Return an attribute that is a whole number."""
        return int(self.attributes[attribute])

    @property
    def redrive(self) -> tuple[str, int] | None:
        """ARN of the dead-letter queue, and after how many receives."""
        text = self.attributes.get("RedrivePolicy")
        if not text:
            return None
        policy = json.loads(text)
        return str(policy["deadLetterTargetArn"]), int(policy["maxReceiveCount"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message on its way into a queue.

    Attributes:
        attributes: `{name: {"DataType": …, "StringValue": … or "BinaryValue": …}}`.
        system: system attributes that the sender sets, by name.
        delay_s: None takes the queue's.
        deduplication_id: of a FIFO queue, always there.
    """

    message_id: str
    body: str
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)
    delay_s: int | None = None
    group: str | None = None
    deduplication_id: str | None = None
    sender: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that was accepted, or an earlier one that it repeats."""

    message_id: str
    sequence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message that was handed out.

    Attributes:
        extras: what :func:`pack_extras` made.
    """

    row_id: int
    message_id: str
    body: str
    extras: Mapping[str, Any]
    sent_ms: int
    receives: int
    first_received_ms: int
    fifo: bool

    @property
    def handle(self) -> str:
        """Its receipt handle."""
        text = f"{self.row_id}:{self.receives}:{self.message_id}"
        return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt handle, read."""

    row_id: int
    receives: int
    message_id: str


def parse_handle(handle: str) -> Receipt:
    """Read a receipt handle.

    Raises:
        ReceiptHandleIsInvalid: it is none of ours.
    """
    try:
        row, receives, message_id = base64.b64decode(handle, validate=True).decode().split(":")
        return Receipt(row_id=int(row), receives=int(receives), message_id=message_id)
    except (ValueError, binascii.Error) as error:
        raise ReceiptHandleIsInvalid(
            f'The input receipt handle "{handle[:256]}" is not a valid receipt handle.'
        ) from error


def sequence_number(row_id: int) -> str:
    """Return the sequence number of a message in a FIFO queue."""
    return str(_SEQUENCE_BASE + row_id * _SEQUENCE_STEP)


def pack_extras(message: Outgoing) -> str:
    """Return what a message carries beside its body, as text."""
    document: dict[str, Any] = {"sender": message.sender}
    if message.attributes:
        document["attributes"] = {
            name: {
                key: base64.b64encode(value).decode() if isinstance(value, bytes) else value
                for key, value in each.items()
                if value is not None
            }
            for name, each in message.attributes.items()
        }
    if message.system:
        document["system"] = dict(message.system)
    if message.group is not None:
        document["group"] = message.group
    if message.deduplication_id is not None:
        document["deduplication"] = message.deduplication_id
    return json.dumps(document, separators=(",", ":"))


def message_attributes(extras: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return message attributes as the service model has them."""
    return {
        name: {
            key: base64.b64decode(value) if key == "BinaryValue" else value
            for key, value in each.items()
        }
        for name, each in extras.get("attributes", {}).items()
    }
