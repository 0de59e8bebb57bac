"""What an alarm's actions get: a notification's document, a function's event. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.neighbours.cloudwatch.alarms import ACTIONS, Alarm, stamp
from lambdad.neighbours.delivery.model import Delivery, Envelope

_INVOKER, _PUBLISHER = "lambda.alarms.cloudwatch.amazonaws.com", "cloudwatch.amazonaws.com"


def deliveries(
    alarm: Alarm, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Sequence[Delivery]:
    """Return what is to be delivered when an alarm's state has changed."""
    if not alarm.settings.get("ActionsEnabled", True):
        return []
    now_ms = int(after["updated_ms"])
    found = []
    for arn in alarm.settings.get(ACTIONS[after["value"]]) or ():
        function = arn.startswith("arn:aws:lambda:")
        document = _event(alarm, before, after) if function else _notice(alarm, before, after)
        envelope = Envelope(
            arn=arn,
            account_id=alarm.account_id,
            source=(_INVOKER if function else _PUBLISHER, alarm.arn, alarm.account_id),
            options={"subject": f'{after["value"]}: "{alarm.name}" in {alarm.region}'},
        )
        found.append(
            Delivery(
                lane=arn,
                envelope=envelope,
                payload=json.dumps(document),
                accepted_ms=now_ms,
                due_ms=now_ms,
            )
        )
    return found


def _event(alarm: Alarm, before: Mapping[str, Any], after: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = alarm.settings
    configuration: dict[str, Any] = {}
    if settings.get("AlarmDescription"):
        configuration["description"] = settings["AlarmDescription"]
    configuration["metrics"] = [
        {
            "id": "m1",
            "metricStat": {
                "metric": {
                    "namespace": settings["Namespace"],
                    "name": settings["MetricName"],
                    "dimensions": dict(alarm.metric.dimensions),
                },
                "period": alarm.period_s,
                "stat": alarm.statistic,
            },
            "returnData": True,
        }
    ]
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": alarm.account_id,
        "time": stamp(after["updated_ms"]),
        "region": alarm.region,
        "alarmData": {
            "alarmName": alarm.name,
            "state": _state(after),
            "previousState": _state(before),
            "configuration": configuration,
        },
    }


def _state(state: Mapping[str, Any]) -> Mapping[str, Any]:
    data = {"reasonData": state["data"]} if state.get("data") else {}
    return {
        "value": state["value"],
        "reason": state["reason"],
        **data,
        "timestamp": stamp(state["updated_ms"]),
    }


def _notice(alarm: Alarm, before: Mapping[str, Any], after: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = alarm.settings
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": alarm.account_id,
        "AlarmConfigurationUpdatedTimestamp": stamp(after["configured_ms"]),
        "NewStateValue": after["value"],
        "NewStateReason": after["reason"],
        "StateChangeTime": stamp(after["updated_ms"]),
        "Region": alarm.region,
        "AlarmArn": alarm.arn,
        "OldStateValue": before["value"],
        "OKActions": settings.get("OKActions") or [],
        "AlarmActions": settings.get("AlarmActions") or [],
        "InsufficientDataActions": settings.get("InsufficientDataActions") or [],
        "Trigger": {
            "MetricName": settings["MetricName"],
            "Namespace": settings["Namespace"],
            "StatisticType": "Statistic" if settings.get("Statistic") else "ExtendedStatistic",
            "Statistic": alarm.statistic.upper(),
            "Unit": settings.get("Unit"),
            "Dimensions": [
                {"value": value, "name": name} for name, value in alarm.metric.dimensions
            ],
            "Period": alarm.period_s,
            "EvaluationPeriods": alarm.periods,
            "ComparisonOperator": settings["ComparisonOperator"],
            "Threshold": settings["Threshold"],
            "TreatMissingData": settings.get("TreatMissingData") or "missing",
            "EvaluateLowSampleCountPercentile": "",
        },
    }
