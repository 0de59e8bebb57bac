"""How much is in each queue, as the metrics of the namespace AWS/SQS. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from lambdad.neighbours.cloudwatch.model import MetricKey, Point, summary_of
from lambdad.neighbours.sqs.model import Queue

NAMES = (
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_MINUTE_S = 60


def points_of(
    found: Mapping[Queue, tuple[int, int, int]], now_s: int
) -> dict[MetricKey, list[Point]]:
    """Return the metrics of queues; each has so many messages visible, in flight, delayed."""
    at_s = now_s // _MINUTE_S * _MINUTE_S
    return {
        MetricKey(
            account_id=queue.account_id,
            region=queue.region,
            namespace="AWS/SQS",
            name=name,
            dimensions=(("QueueName", queue.name),),
        ): [Point(at_s, "Count", summary_of([float(number)], [1.0]))]
        for queue, numbers in found.items()
        for name, number in zip(NAMES, numbers, strict=True)
    }
