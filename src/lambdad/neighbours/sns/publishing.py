"""Publish and PublishBatch: what a message may be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.domain.errors import ServiceException
from lambdad.neighbours.sns.errors import (
    BatchEntryIdsNotDistinctException,
    BatchRequestTooLongException,
    EmptyBatchRequestException,
    InvalidBatchEntryIdException,
    InvalidParameterValueException,
    TooManyEntriesInBatchRequestException,
    invalid,
)
from lambdad.neighbours.sns.model import Message, Topic
from lambdad.neighbours.sns.service import Context, check_topic_arn, operation

_BYTES_MAX = 262_144
_ENTRIES_MAX = 10
_SUBJECT_MAX = 100
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_NAME = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.ASCII)
_KINDS = re.compile(r"(String|Number|Binary|String\.Array)(\..+)?", re.ASCII)


@operation("Publish")
async def publish(context: Context, params: Params) -> Result:
    """Send a message to a topic's subscribers."""
    if params.get("PhoneNumber"):
        raise invalid("PhoneNumber Reason: messages to phones are not sent here")
    arn = params.get("TopicArn") or params.get("TargetArn")
    if not arn:
        raise invalid("TopicArn or TargetArn Reason: no value for required parameter")
    topic = context.services.topic(check_topic_arn(arn))
    message = _message(context, topic, params)
    if _size(message) > _BYTES_MAX:
        raise invalid("Message too long")
    [accepted] = await context.services.publish(topic, [message])
    return {"MessageId": accepted.id, "SequenceNumber": accepted.sequence}


@operation("PublishBatch")
async def publish_batch(context: Context, params: Params) -> Result:
    """Send up to ten messages; one that is refused does not hinder the others."""
    topic = context.services.topic(check_topic_arn(params["TopicArn"]))
    entries = params["PublishBatchRequestEntries"]
    _check_batch([each["Id"] for each in entries])
    messages: dict[str, Message] = {}
    failed = []
    for entry in entries:
        try:
            messages[entry["Id"]] = _message(context, topic, entry)
        except ServiceException as error:
            failed.append(
                {
                    "Id": entry["Id"],
                    "Code": "InvalidParameter",
                    "Message": error.message,
                    "SenderFault": True,
                }
            )
    if sum(map(_size, messages.values())) > _BYTES_MAX:
        raise BatchRequestTooLongException(
            "The length of all the messages put together is more than the limit."
        )
    accepted = await context.services.publish(topic, list(messages.values()))
    good = [
        {"Id": name, "MessageId": message.id, "SequenceNumber": message.sequence}
        for name, message in zip(messages, accepted, strict=True)
    ]
    return {"Successful": good, "Failed": failed}


def _check_batch(ids: list[str]) -> None:
    if not ids:
        raise EmptyBatchRequestException("The batch request doesn't contain any entries.")
    if len(ids) > _ENTRIES_MAX:
        raise TooManyEntriesInBatchRequestException(
            "The batch request contains more entries than permissible."
        )
    if any(_ID.fullmatch(each) is None for each in ids):
        raise InvalidBatchEntryIdException(
            "The Id of a batch entry in a batch request doesn't abide by the specification."
        )
    if len(set(ids)) != len(ids):
        raise BatchEntryIdsNotDistinctException(
            "Two or more batch entries in the request have the same Id."
        )


def _message(context: Context, topic: Topic, params: Mapping[str, Any]) -> Message:
    text, subject = params["Message"], params.get("Subject")
    if not text:
        raise invalid("Empty message")
    if subject is not None:
        _check_subject(subject)
    attributes = params.get("MessageAttributes") or {}
    for name, attribute in attributes.items():
        _check_attribute(name, attribute)
    structured = params.get("MessageStructure") == "json"
    group, duplicate = _ordering(topic, params)
    return Message(
        id=str(uuid4()),
        text=text,
        time_ms=context.services.now_ms(),
        subject=subject,
        by_protocol=_structure(text) if structured else {},
        attributes=attributes,
        group=group,
        deduplication_id=duplicate,
        trace=context.trace_header,
    )


def _size(message: Message) -> int:
    attributes = sum(
        len(name.encode())
        + len(each["DataType"])
        + len(each.get("BinaryValue") or (each.get("StringValue") or "").encode())
        for name, each in message.attributes.items()
    )
    return len(message.text.encode()) + len((message.subject or "").encode()) + attributes


def _check_subject(subject: str) -> None:
    control = any(ord(each) < ord(" ") or each == "\x7f" for each in subject)
    if not subject or len(subject) > _SUBJECT_MAX or control or subject[0] == " ":
        raise invalid("Subject")


def _structure(text: str) -> Mapping[str, str]:
    try:
        by_protocol = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid("Message Structure - JSON message body failed to parse") from error
    if not isinstance(by_protocol, dict) or not isinstance(by_protocol.get("default"), str):
        raise invalid("Message Structure - No default entry in JSON message body")
    return {name: each for name, each in by_protocol.items() if isinstance(each, str)}


def _check_attribute(name: str, attribute: Mapping[str, Any]) -> None:
    if _NAME.fullmatch(name) is None or name.lower().startswith(("aws.", "amazon.")):
        raise InvalidParameterValueException(
            f"The message attribute name '{name}' is not one that an attribute may have."
        )
    kind = attribute.get("DataType") or ""
    if _KINDS.fullmatch(kind) is None:
        raise InvalidParameterValueException(
            f"The message attribute '{name}' has an invalid message attribute type, the set of "
            "supported type prefixes is Binary, Number, and String."
        )
    value = attribute.get("BinaryValue" if kind.startswith("Binary") else "StringValue")
    if not value:
        raise InvalidParameterValueException(
            f"The message attribute '{name}' must contain non-empty message attribute value for "
            f"message attribute type '{kind}'."
        )
    if kind.startswith("Number"):
        try:
            float(value)
        except ValueError as error:
            raise InvalidParameterValueException(
                f"Could not cast message attribute '{name}' value to number."
            ) from error


def _ordering(topic: Topic, params: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return group and deduplication id, as the kind of topic wants them."""
    group, duplicate = params.get("MessageGroupId"), params.get("MessageDeduplicationId")
    if not topic.fifo:
        if duplicate is not None:
            raise invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId "
                "parameter that is not valid for this topic type"
            )
        return group, None
    if not group:
        raise invalid("The MessageGroupId parameter is required for FIFO topics")
    if not duplicate:
        if topic.attributes.get("ContentBasedDeduplication") != "true":
            raise invalid(
                "The topic should either have ContentBasedDeduplication enabled or "
                "MessageDeduplicationId provided explicitly"
            )
        duplicate = hashlib.sha256(params["Message"].encode()).hexdigest()
    return group, duplicate
