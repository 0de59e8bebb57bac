"""What waits in queues is measured, and told to CloudWatch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lambdad.neighbours.cloudwatch.model import MetricKey, Point
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.sqs.attributes import defaults
from lambdad.neighbours.sqs.model import Queue
from lambdad.neighbours.sqs.parts import Queues
from lambdad.testing.clock import FakeClock
from lambdad.testing.neighbours import RecordedPushes, running


class Told:
    """A CloudWatch that keeps what it is told first."""

    def __init__(self) -> None:
        self.points: asyncio.Future[Mapping[MetricKey, Sequence[Point]]] = (
            asyncio.get_running_loop().create_future()
        )

    async def put(self, found: Mapping[MetricKey, Sequence[Point]]) -> None:
        if not self.points.done():
            self.points.set_result(found)


async def test_depths_are_told_when_a_daemon_begins_with_queues(tmp_path: Path) -> None:
    clock, pushes, told = FakeClock(), RecordedPushes(), Told()
    async with running("sqs", Queues.open, tmp_path, clock=clock, functions=pushes) as queues:
        queue = await queues.create(a_queue())
        for number in range(3):
            await queues.deliver(queue.arn, json.dumps(number))
        await queues.mailbox.receive(queue, 1, visibility_s=30, wait_s=0)

    async def neighbour(name: str) -> Any:
        assert name == "cloudwatch"
        return told

    async def reopened(setup: Setup) -> Queues:
        return await Queues.open(replace(setup, neighbour=neighbour))

    async with running("sqs", reopened, tmp_path, clock=clock, functions=pushes):
        async with asyncio.timeout(30):
            found = await told.points
    assert {key.name: points[0].summary.sum for key, points in found.items()} == {
        "ApproximateNumberOfMessagesVisible": 2.0,
        "ApproximateNumberOfMessagesNotVisible": 1.0,
        "ApproximateNumberOfMessagesDelayed": 0.0,
    }
    assert {(key.namespace, key.dimensions) for key in found} == {
        ("AWS/SQS", (("QueueName", "q"),))
    }


def a_queue() -> Queue:
    return Queue(
        id=0,
        account_id="000000000000",
        region="us-east-1",
        name="q",
        created_ms=0,
        modified_ms=0,
        attributes=defaults(fifo=False),
        tags={},
    )
