"""Queues: creating, finding, changing, emptying and deleting them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.sqs import attributes as rules
from lambdad.neighbours.sqs.errors import (
    InvalidParameterValue,
    QueueNameExists,
    invalid,
    no_queue,
)
from lambdad.neighbours.sqs.model import Queue
from lambdad.neighbours.sqs.parts import Queues
from lambdad.neighbours.sqs.queue_rows import counts
from lambdad.neighbours.sqs.service import Context, operation, queue_of, url_of

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO = ".fifo"
_PAGE_MAX = 1_000


@operation("CreateQueue")
async def create_queue(context: Context, params: Params) -> Result:
    """Create a queue; the same again returns it, with other attributes it is refused."""
    name, wanted = params["QueueName"], params.get("Attributes") or {}
    fifo = _check_name(name, wanted)
    found = rules.merged(rules.defaults(fifo=fifo), wanted)
    now_ms = context.services.mailbox.now_ms()
    queue = Queue(
        id=0,
        account_id=context.account_id,
        region=context.region,
        name=name,
        created_ms=now_ms,
        modified_ms=now_ms,
        attributes=found,
        tags=dict(params.get("tags") or {}),
    )
    _check_redrive(context.services, queue, wanted)
    existing = await context.services.create(queue)
    if existing is not queue:
        for attribute in wanted:
            if existing.attributes.get(attribute) != found.get(attribute):
                raise QueueNameExists(
                    "A queue already exists with the same name and a different value for "
                    f"attribute {attribute}"
                )
    return {"QueueUrl": url_of(context, existing)}


def _check_name(name: str, wanted: Mapping[str, str]) -> bool:
    """Refuse names that no queue can have; whether it is a FIFO queue's."""
    fifo = wanted.get("FifoQueue", "").lower() == "true"
    if fifo != name.endswith(_FIFO):
        raise InvalidParameterValue(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length."
            if fifo
            else "Can only include alphanumeric characters, hyphens, or underscores. "
            "1 to 80 in length"
        )
    if len(name) > 80 or _NAME.fullmatch(name.removesuffix(_FIFO)) is None:
        raise InvalidParameterValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
    return fifo


def _check_redrive(queues: Queues, queue: Queue, wanted: Mapping[str, str]) -> None:
    text = wanted.get("RedrivePolicy")
    if not text:
        return
    arn = str(json.loads(text)["deadLetterTargetArn"])
    problem = f"Value {text} for parameter RedrivePolicy is invalid. Reason: "
    target = queues.by_arn(arn)
    if target is None:
        raise InvalidParameterValue(problem + "Dead letter target does not exist.")
    if (target.account_id, target.region) != (queue.account_id, queue.region):
        raise InvalidParameterValue(
            problem + "Dead-letter target owner should be same as the source."
        )
    if target.fifo != queue.fifo:
        raise InvalidParameterValue(
            problem + "Dead-letter queue must be same type of queue as the source."
        )
    if not rules.may_redrive(target.attributes.get("RedriveAllowPolicy"), queue.arn):
        raise InvalidParameterValue(
            problem + "The dead-letter queue does not allow this queue as a source."
        )


@operation("GetQueueUrl")
async def get_queue_url(context: Context, params: Params) -> Result:
    """Return a queue's URL."""
    owner = params.get("QueueOwnerAWSAccountId") or context.account_id
    queue = context.services.find((owner, context.region, params["QueueName"]))
    return {"QueueUrl": url_of(context, queue)}


@operation("ListQueues")
async def list_queues(context: Context, params: Params) -> Result:
    """Return the caller's queues in this region, by name."""
    prefix = params.get("QueueNamePrefix") or ""
    found = [
        queue
        for queue in context.services.all()
        if queue.account_id == context.account_id
        and queue.region == context.region
        and queue.name.startswith(prefix)
    ]
    urls, token = _page(context, params, found)
    return {**({"QueueUrls": urls} if urls else {}), "NextToken": token}


@operation("ListDeadLetterSourceQueues")
async def list_dead_letter_source_queues(context: Context, params: Params) -> Result:
    """Return the queues whose messages end in this one."""
    target = queue_of(context, params)
    found = [
        queue
        for queue in context.services.all()
        if queue.redrive is not None and queue.redrive[0] == target.arn
    ]
    urls, token = _page(context, params, found)
    return {"queueUrls": urls, "NextToken": token}


def _page(context: Context, params: Params, found: Sequence[Queue]) -> tuple[list[str], str | None]:
    """Return the URLs of a page, and the token of the next one: the last name of this one."""
    limit = params.get("MaxResults")
    if limit is not None and not 1 <= limit <= _PAGE_MAX:
        raise invalid("MaxResults", limit, f"MaxResults must be between 1 and {_PAGE_MAX}.")
    after = params.get("NextToken") or ""
    ordered = sorted((each for each in found if each.name > after), key=lambda each: each.name)
    page = ordered[: limit or _PAGE_MAX]
    more = limit is not None and len(ordered) > len(page)
    return [url_of(context, each) for each in page], page[-1].name if more else None


@operation("GetQueueAttributes")
async def get_queue_attributes(context: Context, params: Params) -> Result:
    """Return what was asked for of a queue's attributes."""
    queue = queue_of(context, params)
    names = rules.chosen(params.get("AttributeNames") or ())
    found = {name: value for name, value in queue.attributes.items() if name in names}
    numbers = [name for name in rules.COMPUTED if name in names and name.startswith("Approx")]
    if numbers:
        visible, in_flight, delayed = await context.services.db.read(
            partial(counts, queue_id=queue.id, now_ms=context.services.mailbox.now_ms())
        )
        found |= {
            name: str(count)
            for name, count in zip(rules.COMPUTED[:3], (visible, delayed, in_flight), strict=True)
            if name in numbers
        }
    computed = {
        "CreatedTimestamp": str(queue.created_ms // 1_000),
        "LastModifiedTimestamp": str(queue.modified_ms // 1_000),
        "QueueArn": queue.arn,
    }
    found |= {name: value for name, value in computed.items() if name in names}
    return {"Attributes": found} if found else {}


@operation("SetQueueAttributes")
async def set_queue_attributes(context: Context, params: Params) -> Result:
    """Change attributes of a queue; the others stay."""
    queue, wanted = queue_of(context, params), params["Attributes"]
    after = rules.merged(queue.attributes, wanted)
    _check_redrive(context.services, queue, wanted)
    await context.services.change(queue, attributes=after)
    return {}


@operation("PurgeQueue")
async def purge_queue(context: Context, params: Params) -> Result:
    """Remove all messages of a queue."""
    await context.services.purge(queue_of(context, params))
    return {}


@operation("DeleteQueue")
async def delete_queue(context: Context, params: Params) -> Result:
    """Delete a queue with its messages."""
    queue = queue_of(context, params)
    if queue.account_id != context.account_id:
        raise no_queue()
    await context.services.delete(queue)
    return {}
