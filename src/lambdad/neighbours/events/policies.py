"""Policies of buses: which other accounts may put events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.events.errors import ResourceNotFoundException, ValidationException
from lambdad.neighbours.events.service import EVENTS, Context, bus_of

_NEEDED = ("Action", "Principal", "StatementId")


@EVENTS.operation("PutPermission")
async def put_permission(context: Context, params: Params) -> Result:
    """Add a statement to a bus's policy, or replace the policy."""
    bus = bus_of(context, params)
    if params.get("Policy") is not None:
        try:
            policy = json.loads(params["Policy"])
        except ValueError as error:
            raise ValidationException("Parameter Policy is not valid.") from error
        if not isinstance(policy, dict):
            raise ValidationException("Parameter Policy is not valid.")
        await context.services.put(replace(bus, policy=policy))
        return {}
    for name in _NEEDED:
        if not params.get(name):
            raise ValidationException(f"Parameter {name} must be specified.")
    statement = _statement(params, bus.key.arn)
    statements = [] if bus.policy is None else list(bus.policy["Statement"])
    kept = [each for each in statements if each.get("Sid") != statement["Sid"]]
    policy = {"Version": "2012-10-17", "Statement": [*kept, statement]}
    await context.services.put(replace(bus, policy=policy))
    return {}


def _statement(params: Params, arn: str) -> dict[str, Any]:
    principal = params["Principal"]
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": params["Action"],
        "Resource": arn,
    }
    if (condition := params.get("Condition")) is not None:
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement


@EVENTS.operation("RemovePermission")
async def remove_permission(context: Context, params: Params) -> Result:
    """Take a statement, or all, from a bus's policy."""
    bus = bus_of(context, params)
    if params.get("RemoveAllPermissions"):
        await context.services.put(replace(bus, policy=None))
        return {}
    statements = [] if bus.policy is None else list(bus.policy["Statement"])
    if not statements:
        raise ResourceNotFoundException("EventBus does not have a policy.")
    kept = [each for each in statements if each.get("Sid") != params.get("StatementId")]
    if len(kept) == len(statements):
        raise ResourceNotFoundException("Statement with the provided id does not exist.")
    policy = {**(bus.policy or {}), "Statement": kept} if kept else None
    await context.services.put(replace(bus, policy=policy))
    return {}
