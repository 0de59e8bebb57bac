"""Alarms on one metric: making, describing and deleting them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudwatch import rows
from lambdad.neighbours.cloudwatch.alarms import (
    ACTIONS,
    COMPARISONS,
    INSUFFICIENT,
    Alarm,
    Judgement,
)
from lambdad.neighbours.cloudwatch.errors import (
    InvalidNextToken,
    ResourceNotFound,
    ResourceNotFoundException,
    ValidationException,
)
from lambdad.neighbours.cloudwatch.model import dimensions_of, is_statistic
from lambdad.neighbours.cloudwatch.service import CLOUDWATCH, Context, moment
from lambdad.neighbours.paging import InvalidToken, page

_PAGE = 50
_HISTORY = 100
_SETTINGS = (
    *("AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions"),
    *("InsufficientDataActions", "MetricName", "Namespace", "Statistic", "ExtendedStatistic"),
    *("Dimensions", "Period", "Unit", "EvaluationPeriods", "DatapointsToAlarm", "Threshold"),
    *("ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile"),
)
_NEEDED = (
    *("MetricName", "Namespace", "Period", "EvaluationPeriods", "Threshold"),
    "ComparisonOperator",
)
_UNSERVED = ("Metrics", "ThresholdMetricId", "EvaluationWindow", "EvaluationCriteria")
_MISSING = ("breaching", "notBreaching", "ignore", "missing")


@CLOUDWATCH.operation("PutMetricAlarm")
async def put_metric_alarm(context: Context, params: Params) -> Result:
    """Make an alarm, or change it; it keeps its state then."""
    _check(params)
    settings = {name: params[name] for name in _SETTINGS if params.get(name) is not None}
    settings.setdefault("ActionsEnabled", True)
    key = (context.account_id, context.region, params["AlarmName"])
    before = context.services.find(key)
    now_ms = context.services.now_ms()
    state = {
        "value": INSUFFICIENT,
        "reason": "Unchecked: Initial alarm creation",
        "data": None,
        "updated_ms": now_ms,
        "transitioned_ms": now_ms,
    }
    tags = {each["Key"]: each["Value"] for each in params.get("Tags") or ()}
    alarm = Alarm(
        account_id=key[0],
        region=key[1],
        name=key[2],
        settings=settings,
        state={**(state if before is None else before.state), "configured_ms": now_ms},
        tags=tags if before is None else before.tags,
    )
    verb = "created" if before is None else "updated"
    await context.services.put_alarm(alarm, f'Alarm "{alarm.name}" {verb}')
    return {}


def _check(params: Params) -> None:
    for name in _UNSERVED:
        if params.get(name):
            raise ValidationException(f"Alarms with {name} are not served by lambdad.")
    for name in _NEEDED:
        if params.get(name) is None:
            raise ValidationException(f"The parameter {name} must be specified.")
    _check_values(params)
    chosen = params.get("Statistic"), params.get("ExtendedStatistic")
    if (chosen[0] is None) is (chosen[1] is None):
        raise ValidationException("Exactly one of Statistic and ExtendedStatistic is needed.")
    if chosen[1] is not None and not is_statistic(chosen[1]):
        raise ValidationException(f"ExtendedStatistic {chosen[1]} is not supported.")
    if params["ComparisonOperator"] not in COMPARISONS:
        raise ValidationException(
            f"ComparisonOperator {params['ComparisonOperator']} needs anomaly detection, which is "
            "not served by lambdad."
        )


def _check_values(params: Params) -> None:
    if params["Period"] not in (10, 20, 30) and params["Period"] % 60:
        raise ValidationException("Period must be 10, 20, 30 or a multiple of 60.")
    if (params.get("DatapointsToAlarm") or 1) > params["EvaluationPeriods"]:
        raise ValidationException("DatapointsToAlarm must not exceed EvaluationPeriods.")
    if params.get("TreatMissingData") not in (None, *_MISSING):
        raise ValidationException(f"TreatMissingData must be one of {', '.join(_MISSING)}.")


@CLOUDWATCH.operation("DescribeAlarms")
async def describe_alarms(context: Context, params: Params) -> Result:
    """Return alarms by name; there are none of several metrics."""
    names, prefix = params.get("AlarmNames"), params.get("AlarmNamePrefix") or ""
    kinds = params.get("AlarmTypes") or ("MetricAlarm",)
    action = params.get("ActionPrefix") or ""
    found = [
        alarm
        for alarm in context.services.alarms(context.account_id, context.region)
        if (names is None or alarm.name in names)
        and alarm.name.startswith(prefix)
        and "MetricAlarm" in kinds
        and params.get("StateValue") in (None, alarm.state["value"])
        and (not action or any(arn.startswith(action) for arn in _actions(alarm)))
    ]
    limit = params.get("MaxRecords") or _PAGE
    try:
        chosen, token = page(
            found, lambda alarm: alarm.name, limit=limit, token=params.get("NextToken")
        )
    except InvalidToken as error:
        raise InvalidNextToken("The token is not valid.") from error
    return {
        "MetricAlarms": [_described(each) for each in chosen],
        "CompositeAlarms": [],
        "NextToken": token,
    }


def _actions(alarm: Alarm) -> list[str]:
    return [arn for name in ACTIONS.values() for arn in alarm.settings.get(name) or ()]


def _described(alarm: Alarm) -> Mapping[str, Any]:
    state = alarm.state
    lists = {name: alarm.settings.get(name) or [] for name in (*ACTIONS.values(), "Dimensions")}
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        **alarm.settings,
        **lists,
        "AlarmConfigurationUpdatedTimestamp": moment(state["configured_ms"]),
        "StateValue": state["value"],
        "StateReason": state["reason"],
        "StateReasonData": state["data"],
        "StateUpdatedTimestamp": moment(state["updated_ms"]),
        "StateTransitionedTimestamp": moment(state["transitioned_ms"]),
    }


@CLOUDWATCH.operation("DescribeAlarmsForMetric")
async def describe_alarms_for_metric(context: Context, params: Params) -> Result:
    """Return the alarms on a metric."""
    wanted = (params["Namespace"], params["MetricName"], dimensions_of(params.get("Dimensions")))
    found = [
        alarm
        for alarm in context.services.alarms(context.account_id, context.region)
        if (alarm.metric.namespace, alarm.metric.name, alarm.metric.dimensions) == wanted
        and params.get("Statistic") in (None, alarm.settings.get("Statistic"))
        and params.get("Period") in (None, alarm.period_s)
    ]
    return {"MetricAlarms": [_described(each) for each in found]}


@CLOUDWATCH.operation("DeleteAlarms")
async def delete_alarms(context: Context, params: Params) -> Result:
    """Forget alarms: all of them, or none if one is not there."""
    for alarm in [_existing(context, name) for name in params["AlarmNames"]]:
        await context.services.delete_alarm(alarm)
    return {}


def _existing(context: Context, name: str) -> Alarm:
    alarm = context.services.find((context.account_id, context.region, name))
    if alarm is None:
        raise ResourceNotFound(f"The alarm {name} does not exist.")
    return alarm


@CLOUDWATCH.operation("SetAlarmState")
async def set_alarm_state(context: Context, params: Params) -> Result:
    """Put an alarm into a state, until it is looked at again; its actions are carried out."""
    alarm = _existing(context, params["AlarmName"])
    if alarm.state["value"] == params["StateValue"]:
        return {}
    judgement = Judgement(
        value=params["StateValue"],
        reason=params["StateReason"],
        data=params.get("StateReasonData") or "",
    )
    await context.services.change_state(alarm, judgement)
    return {}


@CLOUDWATCH.operation("EnableAlarmActions")
async def enable_alarm_actions(context: Context, params: Params) -> Result:
    """Let alarms carry out their actions."""
    await _set_actions(context, params, enabled=True)
    return {}


@CLOUDWATCH.operation("DisableAlarmActions")
async def disable_alarm_actions(context: Context, params: Params) -> Result:
    """Let alarms change their state and do nothing."""
    await _set_actions(context, params, enabled=False)
    return {}


async def _set_actions(context: Context, params: Params, *, enabled: bool) -> None:
    for name in params["AlarmNames"]:
        alarm = context.services.find((context.account_id, context.region, name))
        if alarm is not None:
            settings = {**alarm.settings, "ActionsEnabled": enabled}
            await context.services.put_alarm(replace(alarm, settings=settings))


@CLOUDWATCH.operation("DescribeAlarmHistory")
async def describe_alarm_history(context: Context, params: Params) -> Result:
    """Return what happened to alarms, newest first; one page."""
    job = partial(
        rows.history,
        account_id=context.account_id,
        region=context.region,
        name=params.get("AlarmName"),
        limit=params.get("MaxRecords") or _HISTORY,
    )
    items = [
        {
            "AlarmName": name,
            "AlarmType": "MetricAlarm",
            "Timestamp": moment(at_ms),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": data,
        }
        for name, at_ms, kind, summary, data in await context.services.db.read(job)
        if params.get("HistoryItemType") in (None, kind)
    ]
    if params.get("ScanBy") == "TimestampAscending":
        items.reverse()
    return {"AlarmHistoryItems": items}


@CLOUDWATCH.operation("ListTagsForResource")
async def list_tags_for_resource(context: Context, params: Params) -> Result:
    """Return an alarm's tags."""
    tags = _tagged(context, params["ResourceARN"]).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


@CLOUDWATCH.operation("TagResource")
async def tag_resource(context: Context, params: Params) -> Result:
    """Add tags to an alarm, or give some another value."""
    alarm = _tagged(context, params["ResourceARN"])
    tags = {**alarm.tags, **{each["Key"]: each["Value"] for each in params["Tags"]}}
    await context.services.put_alarm(replace(alarm, tags=tags))
    return {}


@CLOUDWATCH.operation("UntagResource")
async def untag_resource(context: Context, params: Params) -> Result:
    """Take tags away from an alarm."""
    alarm = _tagged(context, params["ResourceARN"])
    gone = set(params["TagKeys"])
    tags = {key: value for key, value in alarm.tags.items() if key not in gone}
    await context.services.put_alarm(replace(alarm, tags=tags))
    return {}


def _tagged(context: Context, arn: str) -> Alarm:
    for alarm in context.services.alarms(context.account_id, context.region):
        if alarm.arn == arn:
            return alarm
    raise ResourceNotFoundException(f"{arn} does not exist.")
