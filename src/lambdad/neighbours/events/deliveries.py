"""From an event and a rule to what its targets are to get. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from lambdad.neighbours.delivery.model import AGE_S, RETRIES, Delivery, Envelope
from lambdad.neighbours.events import inputs
from lambdad.neighbours.events.model import SERVICE, BusKey, Rule, timestamp

# From bus to bus.
HOPS_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An event that arrives at a bus.

    Attributes:
        event: the document.
        trace: header of the trace that it belongs to, or None.
        hops: how many buses it came by.
    """

    bus: BusKey
    event: Mapping[str, Any]
    trace: str | None = None
    hops: int = 0

    @cached_property
    def text(self) -> str:
        """The document as JSON."""
        return inputs.compact(self.event)

    @property
    def time_ms(self) -> int:
        """When it happened, as it says."""
        return int(datetime.fromisoformat(str(self.event["time"])).timestamp() * 1_000)


def deliveries(rule: Rule, arrival: Arrival, now_ms: int) -> list[Delivery]:
    """Return what each target of a rule is to get."""
    return [_delivery(rule, target, arrival, now_ms) for target in rule.targets]


def _delivery(rule: Rule, target: Mapping[str, Any], arrival: Arrival, now_ms: int) -> Delivery:
    arn = target["Arn"]
    payload = inputs.render(
        target,
        arrival.event,
        rule_arn=rule.arn,
        rule_name=rule.name,
        ingested=timestamp(now_ms),
    )
    policy = target.get("RetryPolicy") or {}
    envelope = Envelope(
        arn=arn,
        account_id=rule.account_id,
        # A role needs nobody's permission but its own; functions are invoked without it.
        source=None
        if target.get("RoleArn") and not arn.startswith("arn:aws:lambda:")
        else (SERVICE, rule.arn, rule.account_id),
        retries=policy.get("MaximumRetryAttempts", RETRIES),
        age_s=policy.get("MaximumEventAgeInSeconds", AGE_S),
        dead_letter=(target.get("DeadLetterConfig") or {}).get("Arn"),
        labels={"RULE_ARN": rule.arn, "TARGET_ARN": arn},
        options=_options(target, arrival, now_ms),
    )
    return Delivery(lane=arn, envelope=envelope, payload=payload, accepted_ms=now_ms, due_ms=now_ms)


def _options(target: Mapping[str, Any], arrival: Arrival, now_ms: int) -> dict[str, Any]:
    service = target["Arn"].split(":")[2]
    event_id = str(arrival.event["id"])
    if service == "lambda":
        return {} if arrival.trace is None else {"trace": arrival.trace}
    if service == "sqs":
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        # The same for every attempt, so that a FIFO queue takes one of them.
        return {"group": group} if group else {}
    if service == "events":
        return {"hops": arrival.hops}
    if service == "kinesis":
        path = (target.get("KinesisParameters") or {}).get("PartitionKeyPath")
        return {"partition_key": (path and inputs.text_at(path, arrival.event)) or event_id}
    if service == "logs":
        return {"stream": event_id, "time_ms": now_ms}
    return {}
