"""Rules: what they are made of, and what each answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.domain import event_patterns
from lambdad.neighbours import patterns
from lambdad.neighbours.events.errors import (
    ManagedRuleException,
    ResourceNotFoundException,
    ValidationException,
    invalid_pattern,
    too_many,
)
from lambdad.neighbours.events.model import DEFAULT, ENABLED, Bus, Rule
from lambdad.neighbours.events.service import (
    EVENTS,
    Context,
    bus_of,
    check_pattern,
    paged,
    rule_of,
    tags_of,
)
from lambdad.neighbours.schedules import expressions
from lambdad.neighbours.schedules.cron import InvalidExpression

_RULES_MAX = 300
_EVENT_MEMBERS = ("id", "account", "source", "time", "region", "resources", "detail-type")


@EVENTS.operation("PutRule")
async def put_rule(context: Context, params: Params) -> Result:
    """Make a rule, or change one; what is not given is reset, but for targets and tags."""
    bus = bus_of(context, params)
    pattern, schedule = params.get("EventPattern"), params.get("ScheduleExpression")
    if not pattern and not schedule:
        raise ValidationException(
            "Parameter(s) EventPattern or ScheduleExpression must be specified."
        )
    if schedule:
        _check_schedule(bus, schedule)
    if pattern:
        check_pattern(pattern)
    rule = _put(context, params, bus)
    await context.services.put(rule)
    return {"RuleArn": rule.arn}


def _put(context: Context, params: Params, bus: Bus) -> Rule:
    now_ms, rules = context.services.now_ms(), context.services.rules(bus.key)
    old = next((rule for rule in rules if rule.name == params["Name"]), None)
    if old is None and len(rules) >= _RULES_MAX:
        raise too_many()
    schedule = params.get("ScheduleExpression") or None
    state = params.get("State") or ENABLED
    goes_on = old is not None and old.enabled and old.schedule == schedule
    return Rule(
        account_id=bus.account_id,
        region=bus.region,
        name=params["Name"],
        bus=bus.name,
        pattern=params.get("EventPattern") or None,
        schedule=schedule,
        state=state,
        created_ms=now_ms if old is None else old.created_ms,
        modified_ms=now_ms,
        settings={n: params[n] for n in ("Description", "RoleArn") if params.get(n) is not None},
        tags=tags_of(params) if old is None else old.tags,
        targets=() if old is None else old.targets,
        anchor_ms=old.anchor_ms if old is not None and goes_on else now_ms,
        fired_ms=None if old is None else old.fired_ms,
    )


def _check_schedule(bus: Bus, schedule: str) -> None:
    if bus.name != DEFAULT:
        raise ValidationException("ScheduleExpression is supported only on the default event bus.")
    try:
        expressions.parse(schedule)
    except InvalidExpression as error:
        raise ValidationException("Parameter ScheduleExpression is not valid.") from error


@EVENTS.operation("DescribeRule")
async def describe_rule(context: Context, params: Params) -> Result:
    """Return a rule."""
    rule = rule_of(context, params)
    return {**_told(rule), "CreatedBy": rule.account_id}


@EVENTS.operation("ListRules")
async def list_rules(context: Context, params: Params) -> Result:
    """Return the rules of a bus whose names begin with a text."""
    prefix = params.get("NamePrefix") or ""
    rules = context.services.rules(bus_of(context, params).key)
    found = [rule for rule in rules if rule.name.startswith(prefix)]
    page, token = paged(params, found, lambda rule: rule.name)
    return {"Rules": [_told(rule) for rule in page], "NextToken": token}


@EVENTS.operation("ListRuleNamesByTarget")
async def list_rule_names_by_target(context: Context, params: Params) -> Result:
    """Return the names of a bus's rules that have a target."""
    arn = params["TargetArn"]
    rules = context.services.rules(bus_of(context, params).key)
    found = [rule.name for rule in rules if any(each["Arn"] == arn for each in rule.targets)]
    page, token = paged(params, found, lambda name: name)
    return {"RuleNames": page, "NextToken": token}


@EVENTS.operation("EnableRule")
async def enable_rule(context: Context, params: Params) -> Result:
    """Let a rule work; a rate counts from now."""
    rule = rule_of(context, params)
    if not rule.enabled:
        now_ms = context.services.now_ms()
        await context.services.put(replace(rule, state=ENABLED, anchor_ms=now_ms))
    return {}


@EVENTS.operation("DisableRule")
async def disable_rule(context: Context, params: Params) -> Result:
    """Let a rule do nothing."""
    rule = rule_of(context, params)
    await context.services.put(replace(rule, state="DISABLED"))
    return {}


@EVENTS.operation("DeleteRule")
async def delete_rule(context: Context, params: Params) -> Result:
    """Delete a rule without targets, if it is there."""
    bus = bus_of(context, params)
    try:
        rule = context.services.rule(bus.key, params["Name"])
    except ResourceNotFoundException:
        return {}
    if rule.settings.get("ManagedBy") and not params.get("Force"):
        raise ManagedRuleException(f"Rule {rule.name} is managed by another service.")
    if rule.targets:
        raise ValidationException("Rule can't be deleted since it has targets.")
    await context.services.remove(rule)
    return {}


@EVENTS.operation("TestEventPattern")
async def test_event_pattern(context: Context, params: Params) -> Result:
    """Say whether an event matches a pattern."""
    try:
        event = json.loads(params["Event"])
    except ValueError as error:
        raise ValidationException("Parameter Event is not valid.") from error
    try:
        pattern = patterns.parse(params["EventPattern"])
    except patterns.InvalidPattern as error:
        raise invalid_pattern(error) from error
    if not isinstance(event, dict) or any(name not in event for name in _EVENT_MEMBERS):
        raise ValidationException("Parameter Event is not valid.")
    return {"Result": event_patterns.matches(pattern, event)}


def _told(rule: Rule) -> Mapping[str, Any]:
    return {
        "Name": rule.name,
        "Arn": rule.arn,
        "EventPattern": rule.pattern,
        "ScheduleExpression": rule.schedule,
        "State": rule.state,
        "EventBusName": rule.bus,
        **rule.settings,
    }
