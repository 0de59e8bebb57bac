"""What a message may be. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from lambdad.neighbours.sqs.errors import (
    InvalidMessageContents,
    InvalidParameterValue,
    invalid,
    missing,
)
from lambdad.neighbours.sqs.model import Outgoing, Queue

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTES_MAX = 10
_ATTRIBUTE_NAME = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
_RESERVED_NAME = re.compile(r"(?i)(?:aws|amazon)\.")
_ID = re.compile(r"[!-~]{1,128}")
_DELAY_MAX_S = 900


def outgoing(queue: Queue, params: Mapping[str, Any], sender: str) -> tuple[Outgoing, int]:
    """Return a message that may go into the queue, and its size in bytes.

    Raises:
        InvalidParameterValue, InvalidMessageContents, MissingParameter: it may not.
    """
    body = params.get("MessageBody")
    if not body:
        raise missing("MessageBody")
    if (bad := _FORBIDDEN.search(body)) is not None:
        raise InvalidMessageContents(
            f"Invalid binary character '#x{ord(bad[0]):X}' was found in the message body, the set "
            "of allowed characters is #x9 | #xA | #xD | [#x20 to #xD7FF] | [#xE000 to #xFFFD] | "
            "[#x10000 to #x10FFFF]"
        )
    attributes = params.get("MessageAttributes") or {}
    size = len(body.encode()) + _check_attributes(attributes)
    longest = queue.number("MaximumMessageSize")
    if size > longest:
        raise InvalidParameterValue(
            "One or more parameters are invalid. "
            f"Reason: Message must be shorter than {longest} bytes."
        )
    system = params.get("MessageSystemAttributes") or {}
    group, duplicate = _ordering(queue, params, body)
    message = Outgoing(
        message_id=str(uuid4()),
        body=body,
        attributes=attributes,
        system={name: value["StringValue"] for name, value in system.items()},
        delay_s=_delay(queue, params),
        group=group,
        deduplication_id=duplicate,
        sender=sender,
    )
    return message, size


def _delay(queue: Queue, params: Mapping[str, Any]) -> int | None:
    delay = params.get("DelaySeconds")
    if delay is None:
        return None
    if not 0 <= delay <= _DELAY_MAX_S:
        raise invalid("DelaySeconds", delay, f"DelaySeconds must be >= 0 and <= {_DELAY_MAX_S}.")
    if queue.fifo:
        if delay == 0:
            return None
        raise invalid(
            "DelaySeconds",
            delay,
            "The request include parameter that is not valid for this queue type.",
        )
    return int(delay)


def _ordering(queue: Queue, params: Mapping[str, Any], body: str) -> tuple[str | None, str | None]:
    """Return message group and deduplication id."""
    group, duplicate = params.get("MessageGroupId"), params.get("MessageDeduplicationId")
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", duplicate)):
        if value is not None and _ID.fullmatch(value) is None:
            raise invalid(
                name,
                value,
                f"{name} can only include alphanumeric and punctuation characters. "
                "1 to 128 in length.",
            )
    if not queue.fifo:
        if duplicate is not None:
            raise invalid(
                "MessageDeduplicationId",
                duplicate,
                "The request includes a parameter that is not valid for this queue type.",
            )
        return group, None
    if group is None:
        raise missing("MessageGroupId")
    if duplicate is None:
        if queue.attributes.get("ContentBasedDeduplication") != "true":
            raise InvalidParameterValue(
                "The queue should either have ContentBasedDeduplication enabled or "
                "MessageDeduplicationId provided explicitly"
            )
        duplicate = hashlib.sha256(body.encode()).hexdigest()
    return group, duplicate


def _check_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Return how many bytes message attributes add."""
    if len(attributes) > _ATTRIBUTES_MAX:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{_ATTRIBUTES_MAX}]."
        )
    return sum(_check_attribute(name, value) for name, value in attributes.items())


def _check_attribute(name: str, value: Mapping[str, Any]) -> int:
    if _ATTRIBUTE_NAME.fullmatch(name) is None or _RESERVED_NAME.match(name):
        raise InvalidParameterValue(
            f"Message (user) attribute name '{name}' is invalid: it can contain A-Z, a-z, 0-9, "
            "underscore, hyphen and period, must not begin or end with a period, have successive "
            "periods or begin with AWS. or Amazon."
        )
    kind = value.get("DataType") or ""
    base = kind.partition(".")[0]
    if not kind:
        raise InvalidParameterValue(
            f"The message attribute '{name}' must contain non-empty message attribute type."
        )
    if base not in ("String", "Number", "Binary"):
        raise InvalidParameterValue(
            f"The message attribute '{name}' has an invalid message attribute type, the set of "
            "supported type prefixes is Binary, Number, and String."
        )
    data = value.get("BinaryValue" if base == "Binary" else "StringValue")
    if not data:
        raise InvalidParameterValue(
            f"The message attribute '{name}' must contain a non-empty message attribute value for "
            f"message attribute type '{kind}'."
        )
    if isinstance(data, str) and (bad := _FORBIDDEN.search(data)) is not None:
        raise InvalidMessageContents(
            f"Invalid binary character '#x{ord(bad[0]):X}' was found in the message attribute "
            f"'{name}'."
        )
    if base == "Number":
        try:
            float(data)
        except ValueError as error:
            raise InvalidParameterValue(
                f"Can't cast the value of message (user) attribute '{name}' to a number."
            ) from error
    return (
        len(name.encode())
        + len(kind.encode())
        + len(data.encode() if isinstance(data, str) else data)
    )
