"""Sending messages, one by one and in batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.domain.errors import ServiceException
from lambdad.neighbours.sqs.attributes import MESSAGE_BYTES_MAX
from lambdad.neighbours.sqs.batches import entries_of, failed, results
from lambdad.neighbours.sqs.digests import attributes_digest, body_digest
from lambdad.neighbours.sqs.errors import BatchRequestTooLong
from lambdad.neighbours.sqs.messages import outgoing
from lambdad.neighbours.sqs.model import Sent
from lambdad.neighbours.sqs.service import Context, operation, queue_of


@operation("SendMessage")
async def send_message(context: Context, params: Params) -> Result:
    """Store a message; it is durable when this returns."""
    queue = queue_of(context, params)
    message, _ = outgoing(queue, params, context.account_id)
    (sent,) = await context.services.mailbox.send(queue, [message])
    return _result(params, sent)


@operation("SendMessageBatch")
async def send_message_batch(context: Context, params: Params) -> Result:
    """Store up to ten messages; those that may be, whatever the others are."""
    queue = queue_of(context, params)
    entries = entries_of(params, "SendMessageBatchRequestEntry")
    accepted, refused, total = [], [], 0
    for entry in entries:
        try:
            message, size = outgoing(queue, entry, context.account_id)
        except ServiceException as error:
            refused.append(failed(entry["Id"], error))
        else:
            accepted.append((entry, message))
            total += size
    if total > MESSAGE_BYTES_MAX:
        raise BatchRequestTooLong(
            f"Batch requests cannot be longer than {MESSAGE_BYTES_MAX} bytes. "
            f"You have sent {total} bytes."
        )
    sent = await context.services.mailbox.send(queue, [message for _, message in accepted])
    successful = [
        {"Id": entry["Id"], **_result(entry, each)}
        for (entry, _), each in zip(accepted, sent, strict=True)
    ]
    return results(successful, refused)


def _result(params: Mapping[str, Any], sent: Sent) -> dict[str, Any]:
    return {
        "MessageId": sent.message_id,
        "MD5OfMessageBody": body_digest(params["MessageBody"]),
        "MD5OfMessageAttributes": attributes_digest(params.get("MessageAttributes") or {}),
        "MD5OfMessageSystemAttributes": attributes_digest(
            params.get("MessageSystemAttributes") or {}
        ),
        "SequenceNumber": sent.sequence,
    }
