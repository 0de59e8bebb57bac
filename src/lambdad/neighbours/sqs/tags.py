"""Tags of queues, and the statements of their policies that AddPermission writes."""

from __future__ import annotations

import json
import re
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.sqs.errors import InvalidParameterValue, OverLimit, invalid
from lambdad.neighbours.sqs.model import Queue
from lambdad.neighbours.sqs.service import Context, operation, queue_of

_TAGS_MAX = 50
_ACTIONS_MAX = 7
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACTIONS = (
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
)


@operation("ListQueueTags")
async def list_queue_tags(context: Context, params: Params) -> Result:
    """Return a queue's tags."""
    tags = queue_of(context, params).tags
    return {"Tags": tags} if tags else {}


@operation("TagQueue")
async def tag_queue(context: Context, params: Params) -> Result:
    """Add tags to a queue, or give some another value."""
    queue = queue_of(context, params)
    tags = {**queue.tags, **params["Tags"]}
    if len(tags) > _TAGS_MAX:
        raise InvalidParameterValue(f"Too many tags added for queue {queue.name}.")
    await context.services.change(queue, tags=tags)
    return {}


@operation("UntagQueue")
async def untag_queue(context: Context, params: Params) -> Result:
    """Take tags away from a queue."""
    queue = queue_of(context, params)
    gone = set(params["TagKeys"])
    kept = {key: value for key, value in queue.tags.items() if key not in gone}
    await context.services.change(queue, tags=kept)
    return {}


def _policy(queue: Queue) -> dict[str, Any]:
    text = queue.attributes.get("Policy")
    if text:
        document: dict[str, Any] = json.loads(text)
        return document
    return {
        "Version": "2008-10-17",
        "Id": f"{queue.arn}/SQSDefaultPolicy",
        "Statement": [],
    }


@operation("AddPermission")
async def add_permission(context: Context, params: Params) -> Result:
    """Allow accounts some actions on a queue."""
    queue, label = queue_of(context, params), params["Label"]
    accounts, actions = params["AWSAccountIds"], params["Actions"]
    if _LABEL.fullmatch(label) is None:
        raise invalid("Label", label, "Must be 1 to 80 alphanumeric characters, hyphens and _.")
    for action in actions:
        if action not in _ACTIONS:
            raise InvalidParameterValue(
                f"Value SQS:{action} for parameter ActionName is invalid. Reason: Only the queue "
                "owner is allowed to invoke this action."
            )
    if len(actions) > _ACTIONS_MAX:
        raise OverLimit(f"{len(actions)} Actions were found, maximum allowed is {_ACTIONS_MAX}.")
    policy = _policy(queue)
    if any(each.get("Sid") == label for each in policy["Statement"]):
        raise invalid("Label", label, "Already exists.")
    principals = [f"arn:aws:iam::{account}:root" for account in accounts]
    names = [f"SQS:{action}" for action in actions]
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
            "Action": names[0] if len(names) == 1 else names,
            "Resource": queue.arn,
        }
    )
    await context.services.change(
        queue, attributes={**queue.attributes, "Policy": json.dumps(policy)}
    )
    return {}


@operation("RemovePermission")
async def remove_permission(context: Context, params: Params) -> Result:
    """Take back what AddPermission allowed."""
    queue, label = queue_of(context, params), params["Label"]
    policy = _policy(queue)
    kept = [each for each in policy["Statement"] if each.get("Sid") != label]
    if len(kept) == len(policy["Statement"]):
        raise invalid("Label", label, "can't find label on existing policy.")
    attributes = dict(queue.attributes)
    attributes.pop("Policy", None)
    if kept:
        attributes["Policy"] = json.dumps({**policy, "Statement": kept})
    await context.services.change(queue, attributes=attributes)
    return {}
