"""Receiving messages, deleting them, and changing when they come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.domain.errors import ServiceException
from lambdad.neighbours.sqs import message_rows
from lambdad.neighbours.sqs.batches import entries_of, failed, results
from lambdad.neighbours.sqs.digests import attributes_digest, body_digest
from lambdad.neighbours.sqs.errors import (
    InvalidParameterValue,
    MessageNotInflight,
    invalid,
    missing,
)
from lambdad.neighbours.sqs.model import (
    Queue,
    Received,
    message_attributes,
    parse_handle,
    sequence_number,
)
from lambdad.neighbours.sqs.service import Context, operation, queue_of, whole_number

_VISIBILITY_MAX_S = 43_200
_WAIT_MAX_S = 20
_MESSAGES_MAX = 10


@operation("ReceiveMessage")
async def receive_message(context: Context, params: Params) -> Result:
    """Hand out messages, and wait for one if there is none."""
    queue = queue_of(context, params)
    count = whole_number(params, "MaxNumberOfMessages", 1)
    if not 1 <= count <= _MESSAGES_MAX:
        raise invalid("MaxNumberOfMessages", count, "Must be between 1 and 10, if provided.")
    wait_s = whole_number(params, "WaitTimeSeconds", queue.number("ReceiveMessageWaitTimeSeconds"))
    if not 0 <= wait_s <= _WAIT_MAX_S:
        raise invalid("WaitTimeSeconds", wait_s, "Must be >= 0 and <= 20, if provided.")
    visibility_s = whole_number(params, "VisibilityTimeout", queue.number("VisibilityTimeout"))
    _check_visibility(visibility_s)
    received = await context.services.mailbox.receive(
        queue, count, visibility_s=visibility_s, wait_s=wait_s
    )
    messages = [_message(each, params) for each in received]
    return {"Messages": messages} if messages else {}


def _check_visibility(seconds: int) -> None:
    if not 0 <= seconds <= _VISIBILITY_MAX_S:
        raise invalid("VisibilityTimeout", seconds, "Must be >= 0 and <= 43200, if provided.")


def _message(received: Received, params: Params) -> dict[str, Any]:
    wanted = (
        *(params.get("AttributeNames") or ()),
        *(params.get("MessageSystemAttributeNames") or ()),
    )
    chosen = _matching(
        message_attributes(received.extras), params.get("MessageAttributeNames") or ()
    )
    system = {
        name: value
        for name, value in _system_attributes(received).items()
        if "All" in wanted or name in wanted
    }
    return {
        "MessageId": received.message_id,
        "ReceiptHandle": received.handle,
        "MD5OfBody": body_digest(received.body),
        "Body": received.body,
        "Attributes": system or None,
        "MD5OfMessageAttributes": attributes_digest(chosen),
        "MessageAttributes": chosen or None,
    }


def _matching(
    attributes: Mapping[str, Mapping[str, Any]], wanted: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    if "All" in wanted or ".*" in wanted:
        return dict(attributes)
    prefixes = tuple(each[:-2] for each in wanted if each.endswith(".*"))
    return {
        name: value
        for name, value in attributes.items()
        if name in wanted or (prefixes and name.startswith(prefixes))
    }


def _system_attributes(received: Received) -> dict[str, str]:
    extras = received.extras
    found = {
        "SenderId": extras.get("sender", ""),
        "SentTimestamp": str(received.sent_ms),
        "ApproximateReceiveCount": str(received.receives),
        "ApproximateFirstReceiveTimestamp": str(received.first_received_ms),
        **extras.get("system", {}),
    }
    if received.fifo:
        found["SequenceNumber"] = sequence_number(received.row_id)
        found["MessageDeduplicationId"] = extras["deduplication"]
    if "group" in extras:
        found["MessageGroupId"] = extras["group"]
    if "dead" in extras:
        found["DeadLetterQueueSourceArn"] = extras["dead"]
    return found


@operation("DeleteMessage")
async def delete_message(context: Context, params: Params) -> Result:
    """Delete a message that was received."""
    queue = queue_of(context, params)
    receipt = parse_handle(params["ReceiptHandle"])
    (good,) = await context.services.mailbox.delete(queue, [receipt])
    if not good:
        raise _expired(params["ReceiptHandle"])
    return {}


def _expired(handle: str) -> ServiceException:
    return invalid("ReceiptHandle", handle, "The receipt handle has expired.")


@operation("DeleteMessageBatch")
async def delete_message_batch(context: Context, params: Params) -> Result:
    """Delete up to ten messages that were received."""
    queue = queue_of(context, params)
    entries = entries_of(params, "DeleteMessageBatchRequestEntry")
    readable, refused = [], []
    for entry in entries:
        try:
            readable.append((entry, parse_handle(entry.get("ReceiptHandle") or "")))
        except ServiceException as error:
            refused.append(failed(entry["Id"], error))
    good = await context.services.mailbox.delete(queue, [receipt for _, receipt in readable])
    successful = []
    for (entry, _), each in zip(readable, good, strict=True):
        if each:
            successful.append({"Id": entry["Id"]})
        else:
            refused.append(failed(entry["Id"], _expired(entry["ReceiptHandle"])))
    return results(successful, refused)


@operation("ChangeMessageVisibility")
async def change_message_visibility(context: Context, params: Params) -> Result:
    """Let a message in flight come back sooner or later."""
    await _change(context, queue_of(context, params), params)
    return {}


@operation("ChangeMessageVisibilityBatch")
async def change_message_visibility_batch(context: Context, params: Params) -> Result:
    """Let up to ten messages in flight come back sooner or later."""
    queue = queue_of(context, params)
    entries = entries_of(params, "ChangeMessageVisibilityBatchRequestEntry")
    successful, refused = [], []
    for entry in entries:
        try:
            await _change(context, queue, entry)
        except ServiceException as error:
            refused.append(failed(entry["Id"], error))
        else:
            successful.append({"Id": entry["Id"]})
    return results(successful, refused)


async def _change(context: Context, queue: Queue, params: Mapping[str, Any]) -> None:
    handle = params.get("ReceiptHandle") or ""
    seconds = params.get("VisibilityTimeout")
    if seconds is None:
        raise missing("VisibilityTimeout")
    _check_visibility(seconds)
    receipt = parse_handle(handle)
    outcome = await context.services.mailbox.change_visibility(queue, receipt, seconds)
    if outcome == message_rows.ABSENT:
        raise invalid(
            "ReceiptHandle",
            handle,
            "Message does not exist or is not available for visibility timeout change.",
        )
    if outcome == message_rows.NOT_IN_FLIGHT:
        raise MessageNotInflight("The specified message is not in flight.")
    if outcome == message_rows.TOO_LONG:
        raise InvalidParameterValue(
            f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total "
            "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
        )
