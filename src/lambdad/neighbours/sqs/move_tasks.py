"""Operations on message move tasks."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.sqs import moving
from lambdad.neighbours.sqs.errors import (
    InvalidParameterValue,
    ResourceNotFoundException,
    UnsupportedOperation,
    invalid,
)
from lambdad.neighbours.sqs.model import Queue
from lambdad.neighbours.sqs.service import Context, operation, whole_number

_RATE_MAX = 500
_LISTED_MAX = 10
_NO_QUEUE = "The resource that you specified for the {} parameter doesn't exist."


def _queue(context: Context, arn: str, parameter: str) -> Queue:
    queue = context.services.by_arn(arn)
    if queue is None:
        raise ResourceNotFoundException(_NO_QUEUE.format(parameter))
    return queue


def _handle(task: moving.MoveTask) -> str:
    document = {"taskId": str(task.id), "sourceArn": task.source_arn}
    return base64.b64encode(json.dumps(document).encode()).decode()


@operation("StartMessageMoveTask")
async def start_message_move_task(context: Context, params: Params) -> Result:
    """Begin to move the messages of a dead-letter queue."""
    source = _queue(context, params["SourceArn"], "SourceArn")
    destination = params.get("DestinationArn")
    rate = params.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= rate <= _RATE_MAX:
        raise invalid(
            "MaxNumberOfMessagesPerSecond", rate, f"Must be between 1 and {_RATE_MAX}, if provided."
        )
    if not any(
        queue.redrive is not None and queue.redrive[0] == source.arn
        for queue in context.services.all()
    ):
        raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
    if destination is not None:
        if destination == source.arn:
            raise InvalidParameterValue("Source queue arn and destination queue arn must differ.")
        if _queue(context, destination, "DestinationArn").fifo != source.fifo:
            raise InvalidParameterValue("Source and destination must be queues of the same type.")
    latest = await context.services.mover.tasks(source.arn, 1)
    if latest and latest[0].status == moving.RUNNING:
        raise UnsupportedOperation(
            "There is already a task running. Only one active task is allowed for a source queue "
            "arn at a given time."
        )
    return {"TaskHandle": _handle(await context.services.mover.start(source, destination, rate))}


@operation("ListMessageMoveTasks")
async def list_message_move_tasks(context: Context, params: Params) -> Result:
    """Return the latest tasks of a queue."""
    source = _queue(context, params["SourceArn"], "SourceArn")
    limit = whole_number(params, "MaxResults", 1)
    if not 1 <= limit <= _LISTED_MAX:
        raise invalid("MaxResults", limit, f"Must be between 1 and {_LISTED_MAX}.")
    tasks = await context.services.mover.tasks(source.arn, limit)
    return {"Results": [_entry(task) for task in tasks]}


def _entry(task: moving.MoveTask) -> dict[str, Any]:
    return {
        "TaskHandle": _handle(task) if task.status == moving.RUNNING else None,
        "Status": task.status,
        "SourceArn": task.source_arn,
        "DestinationArn": task.destination_arn,
        "MaxNumberOfMessagesPerSecond": task.rate,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "FailureReason": task.failure,
        "StartedTimestamp": task.started_ms,
    }


@operation("CancelMessageMoveTask")
async def cancel_message_move_task(context: Context, params: Params) -> Result:
    """End a task; what it moved stays where it is."""
    try:
        document = json.loads(base64.b64decode(params["TaskHandle"], validate=True))
        task_id = int(document["taskId"])
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise InvalidParameterValue("Value for parameter TaskHandle is invalid.") from error
    task = await context.services.mover.find(task_id)
    if task is None:
        raise ResourceNotFoundException("Task does not exist.")
    if task.status != moving.RUNNING:
        raise UnsupportedOperation("Only active tasks can be cancelled.")
    await context.services.mover.cancel(task_id)
    ended = await context.services.mover.find(task_id)
    return {"ApproximateNumberOfMessagesMoved": (ended or task).moved}
