"""The attributes of queues: which there are, what they may be, how they are told. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.neighbours.sqs.errors import (
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidParameterValue,
)

MESSAGE_BYTES_MAX = 1_048_576
_RANGES: Mapping[str, tuple[int, int]] = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1_024, MESSAGE_BYTES_MAX),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
_DEFAULTS: Mapping[str, str] = {
    "DelaySeconds": "0",
    "MaximumMessageSize": str(MESSAGE_BYTES_MAX),
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
_FIFO_DEFAULTS: Mapping[str, str] = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("messageGroup", "queue"),
    "FifoQueue": ("true",),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
    "SqsManagedSseEnabled": ("true", "false"),
}
_DOCUMENTS = ("Policy", "RedriveAllowPolicy", "RedrivePolicy")
_SETTABLE = {*_RANGES, *_CHOICES, *_DOCUMENTS, "KmsMasterKeyId"}
COMPUTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)
# SQS puts no bound on it that can be found out; the console's is this.
_RECEIVES_MAX = 1_000
_SOURCES_MAX = 10


def defaults(*, fifo: bool) -> dict[str, str]:
    """Return the attributes of a queue that nobody set any for."""
    return {**_DEFAULTS, **({**_FIFO_DEFAULTS, "FifoQueue": "true"} if fifo else {})}


def merged(current: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return a queue's attributes after others were set; an empty text takes one back.

    Raises:
        InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue: see the texts.
    """
    fifo = current.get("FifoQueue") == "true"
    after = dict(current)
    for name, value in wanted.items():
        if name not in _SETTABLE:
            raise InvalidAttributeName(f"Unknown Attribute {name}.")
        if not fifo and (name in _FIFO_DEFAULTS or (name == "FifoQueue" and value != "")):
            raise InvalidAttributeName(
                f"You can specify the {name} only when FifoQueue is set to true."
                if name != "FifoQueue"
                else "Unknown Attribute FifoQueue."
            )
        if value == "" and (name in _DOCUMENTS or name == "KmsMasterKeyId"):
            after.pop(name, None)
        else:
            after[name] = _checked(name, value)
    if "KmsMasterKeyId" in wanted and after.get("KmsMasterKeyId"):
        after["SqsManagedSseEnabled"] = "false"
        after.setdefault("KmsDataKeyReusePeriodSeconds", "300")
    if (
        after.get("FifoThroughputLimit") == "perMessageGroupId"
        and after["DeduplicationScope"] != "messageGroup"
    ):
        raise InvalidAttributeValue(
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is "
            "messageGroup."
        )
    return after


def _checked(name: str, value: str) -> str:
    bounds = _RANGES.get(name)
    if bounds is not None:
        low, high = bounds
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise InvalidAttributeValue(f"Invalid value for the parameter {name}.")
        return str(int(value))
    choices = _CHOICES.get(name)
    if choices is not None:
        if value.lower() not in {each.lower() for each in choices}:
            raise InvalidAttributeValue(f"Invalid value for the parameter {name}.")
        return next(each for each in choices if each.lower() == value.lower())
    if name == "RedrivePolicy":
        return _redrive(value)
    if name == "RedriveAllowPolicy":
        return _redrive_allow(value)
    if name == "Policy" and _document(name, value) is None:
        raise InvalidAttributeValue("Invalid value for the parameter Policy.")
    return value


def _document(name: str, text: str) -> Any:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InvalidAttributeValue(f"Invalid value for the parameter {name}.") from error
    return document if isinstance(document, dict) else None


def _redrive(text: str) -> str:
    problem = f"Value {text} for parameter RedrivePolicy is invalid. Reason: "
    try:
        policy = json.loads(text)
        arn, count = policy["deadLetterTargetArn"], int(policy["maxReceiveCount"])
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidParameterValue(
            problem + "Redrive policy does not contain mandatory attribute: maxReceiveCount or "
            "deadLetterTargetArn."
        ) from error
    if not isinstance(arn, str) or len(arn.split(":")) != 6:
        raise InvalidParameterValue(problem + "Invalid value for deadLetterTargetArn.")
    if not 1 <= count <= _RECEIVES_MAX:
        raise InvalidParameterValue(
            problem + f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to "
            f"{_RECEIVES_MAX} both inclusive."
        )
    return text


def _redrive_allow(text: str) -> str:
    policy = _document("RedriveAllowPolicy", text) or {}
    permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns")
    by_queue = permission == "byQueue"
    listed = isinstance(sources, list) and 1 <= len(sources) <= _SOURCES_MAX
    if permission not in ("allowAll", "denyAll", "byQueue") or by_queue != (sources is not None):
        raise InvalidParameterValue(
            f"Value {text} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't "
            "create the redrive allow policy, as it's in an unsupported format."
        )
    if by_queue and not listed:
        raise InvalidParameterValue(
            f"Value {text} for parameter RedriveAllowPolicy is invalid. Reason: sourceQueueArns "
            f"must have 1 to {_SOURCES_MAX} ARNs."
        )
    return text


def may_redrive(allow_policy: str | None, source_arn: str) -> bool:
    """Whether a dead-letter queue takes the messages of a source queue."""
    if not allow_policy:
        return True
    policy = json.loads(allow_policy)
    permission = policy["redrivePermission"]
    return permission == "allowAll" or (
        permission == "byQueue" and source_arn in policy["sourceQueueArns"]
    )


def chosen(names: Sequence[str]) -> frozenset[str]:
    """Return the attributes that were asked for.

    Raises:
        InvalidAttributeName: there is none of that name.
    """
    known = {*_SETTABLE, *COMPUTED}
    if "All" in names:
        return frozenset(known)
    for name in names:
        if name not in known:
            raise InvalidAttributeName(f"Unknown Attribute {name}.")
    return frozenset(names)
