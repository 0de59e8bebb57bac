"""Schedules: what they may be, and what each answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.scheduler.errors import ConflictException, ValidationException
from lambdad.neighbours.scheduler.model import DEFAULT, ENABLED, Schedule
from lambdad.neighbours.scheduler.service import (
    SCHEDULER,
    Context,
    group_arn,
    paged,
    schedule_arn,
)
from lambdad.neighbours.schedules import expressions
from lambdad.neighbours.schedules.cron import InvalidExpression


@SCHEDULER.operation("CreateSchedule")
async def create_schedule(context: Context, params: Params) -> Result:
    """Make a schedule."""
    context.services.group(group_arn(context, params.get("GroupName")))
    arn = schedule_arn(context, params)
    existing = context.services.find(arn)
    if existing is not None:
        if existing.client_token and existing.client_token == params.get("ClientToken"):
            return {"ScheduleArn": arn}
        raise ConflictException(f"Schedule {params['Name']} already exists.")
    await context.services.put(_schedule(context, params, None))
    return {"ScheduleArn": arn}


@SCHEDULER.operation("UpdateSchedule")
async def update_schedule(context: Context, params: Params) -> Result:
    """Replace a schedule; what is not given is reset."""
    old = context.services.schedule(schedule_arn(context, params))
    await context.services.put(_schedule(context, params, old))
    return {"ScheduleArn": old.arn}


@SCHEDULER.operation("GetSchedule")
async def get_schedule(context: Context, params: Params) -> Result:
    """Return a schedule."""
    each = context.services.schedule(schedule_arn(context, params))
    return {
        **_summary(each),
        "Target": each.target,
        "ScheduleExpression": each.expression,
        "ScheduleExpressionTimezone": each.zone,
        "StartDate": _moment(each.begin_ms),
        "EndDate": _moment(each.end_ms),
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": each.window}
        if each.window
        else {"Mode": "OFF"},
        "ActionAfterCompletion": each.after_completion,
        **each.settings,
    }


@SCHEDULER.operation("ListSchedules")
async def list_schedules(context: Context, params: Params) -> Result:
    """Return schedules by group, state, or the beginning of their names."""
    prefix, group = params.get("NamePrefix") or "", params.get("GroupName")
    if group is not None:
        context.services.group(group_arn(context, group))
    found = [
        each
        for each in context.services.schedules()
        if (each.account_id, each.region) == (context.account_id, context.region)
        and each.name.startswith(prefix)
        and group in (None, each.group)
        and params.get("State") in (None, each.state)
    ]
    page, token = paged(params, found, lambda each: f"{each.group}/{each.name}")
    told = [{**_summary(each), "Target": {"Arn": each.target["Arn"]}} for each in page]
    return {"Schedules": told, "NextToken": token}


@SCHEDULER.operation("DeleteSchedule")
async def delete_schedule(context: Context, params: Params) -> Result:
    """Delete a schedule."""
    await context.services.remove(context.services.schedule(schedule_arn(context, params)))
    return {}


def _schedule(context: Context, params: Params, old: Schedule | None) -> Schedule:
    """Return the schedule that a request describes.

    Raises:
        ValidationException: it cannot be.
    """
    now_ms, text = context.services.now_ms(), params["ScheduleExpression"]
    zone = params.get("ScheduleExpressionTimezone") or "UTC"
    _check_expression(text, zone)
    _check_target(params["Target"])
    begin_ms, end_ms = _epoch_ms(params.get("StartDate")), _epoch_ms(params.get("EndDate"))
    if begin_ms is not None and end_ms is not None and begin_ms >= end_ms:
        raise ValidationException("The StartDate must be earlier than the EndDate.")
    same = old is not None and (old.expression, old.zone, old.begin_ms) == (text, zone, begin_ms)
    names = ("Description", "KmsKeyArn")
    return Schedule(
        account_id=context.account_id,
        region=context.region,
        group=params.get("GroupName") or DEFAULT,
        name=params["Name"],
        created_ms=now_ms if old is None else old.created_ms,
        modified_ms=now_ms,
        anchor_ms=old.anchor_ms if old is not None and same else now_ms,
        expression=text,
        zone=zone,
        state=params.get("State") or ENABLED,
        target=params["Target"],
        window=_window(params["FlexibleTimeWindow"]),
        after_completion=params.get("ActionAfterCompletion") or "NONE",
        begin_ms=begin_ms,
        end_ms=end_ms,
        fired_ms=old.fired_ms if old is not None and same else None,
        settings={name: params[name] for name in names if params.get(name) is not None},
        client_token=params.get("ClientToken"),
    )


def _check_expression(text: str, zone: str) -> None:
    try:
        found = expressions.zone_of(zone)
    except InvalidExpression as error:
        raise ValidationException(f"Invalid Schedule Expression Timezone {zone}.") from error
    try:
        expressions.parse(text, found, once=True)
    except InvalidExpression as error:
        raise ValidationException(f"Invalid Schedule Expression {text}.") from error


def _check_target(target: Mapping[str, Any]) -> None:
    arn = target["Arn"]
    if len(arn.split(":", 5)) != 6 or not arn.startswith("arn:"):
        raise ValidationException(f"Provided Arn is not in correct format: {arn}")
    fifo = ":sqs:" in arn and arn.endswith(".fifo")
    if fifo and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
        raise ValidationException("SqsParameters with a MessageGroupId are needed for FIFO queues.")
    if ":events:" in arn and not target.get("EventBridgeParameters"):
        raise ValidationException("EventBridgeParameters are needed for event buses.")


def _window(given: Mapping[str, Any]) -> int:
    minutes = given.get("MaximumWindowInMinutes")
    if given["Mode"] == "OFF":
        if minutes is not None:
            raise ValidationException("MaximumWindowInMinutes is not allowed when Mode is OFF.")
        return 0
    if minutes is None:
        raise ValidationException("MaximumWindowInMinutes is needed when Mode is FLEXIBLE.")
    return int(minutes)


def _epoch_ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1_000)


def _moment(epoch_ms: int | None) -> datetime | None:
    return None if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1_000, UTC)


def _summary(each: Schedule) -> Mapping[str, Any]:
    return {
        "Arn": each.arn,
        "Name": each.name,
        "GroupName": each.group,
        "State": each.state,
        "CreationDate": _moment(each.created_ms),
        "LastModificationDate": _moment(each.modified_ms),
    }
