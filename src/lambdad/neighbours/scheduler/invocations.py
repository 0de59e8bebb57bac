"""From a run of a schedule to what its target is to get. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lambdad.neighbours.delivery.courier import as_json
from lambdad.neighbours.delivery.model import AGE_S, RETRIES, Delivery, Envelope
from lambdad.neighbours.scheduler.model import Schedule


def delivery_of(schedule: Schedule, scheduled_s: float, now_ms: int) -> Delivery:
    """Return what a schedule's target is to get of a run."""
    target, execution_id = schedule.target, str(uuid4())
    time = f"{datetime.fromtimestamp(scheduled_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
    payload = target.get("Input")
    if payload is None:
        payload = _default(schedule, time)
    for name, value in (
        ("schedule-arn", schedule.arn),
        ("scheduled-time", time),
        ("execution-id", execution_id),
        ("attempt-number", "1"),
    ):
        payload = payload.replace(f"<aws.scheduler.{name}>", value)
    policy = target.get("RetryPolicy") or {}
    envelope = Envelope(
        arn=target["Arn"],
        account_id=schedule.account_id,
        retries=policy.get("MaximumRetryAttempts", RETRIES),
        age_s=policy.get("MaximumEventAgeInSeconds", AGE_S),
        dead_letter=(target.get("DeadLetterConfig") or {}).get("Arn"),
        labels={
            "SCHEDULE_ARN": schedule.arn,
            "TARGET_ARN": target["Arn"],
            "EXECUTION_ID": execution_id,
            "SCHEDULED_TIME": time,
        },
        options=_options(schedule, target, execution_id, now_ms),
    )
    return Delivery(
        lane=target["Arn"], envelope=envelope, payload=payload, accepted_ms=now_ms, due_ms=now_ms
    )


def _default(schedule: Schedule, time: str) -> str:
    return as_json(
        {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": schedule.account_id,
            "time": time,
            "region": schedule.region,
            "resources": [schedule.arn],
            "detail": "{}",
        }
    )


def _options(
    schedule: Schedule, target: Mapping[str, Any], execution_id: str, now_ms: int
) -> dict[str, Any]:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    event = target.get("EventBridgeParameters") or {}
    return {
        "region": schedule.region,
        **({"group": group} if group else {}),
        "entry": {**event, "Resources": [schedule.arn]},
        "partition_key": (target.get("KinesisParameters") or {}).get("PartitionKey"),
        "stream": execution_id,
        "time_ms": now_ms,
    }
