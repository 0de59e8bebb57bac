"""What a plan would change in a stack: the heart of change sets and of "no updates". Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.graph import dependencies, in_order
from lambdad.neighbours.cloudformation.intrinsics import evaluate
from lambdad.neighbours.cloudformation.model import Plan, Resource, Stack
from lambdad.neighbours.cloudformation.outputs import outputs_of
from lambdad.neighbours.cloudformation.scopes import UNKNOWN, chosen, stack_scope
from lambdad.neighbours.cloudformation.types import TYPES


def changes_of(stack: Stack, plan: Plan, exports: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return changes as DescribeChangeSet has them, in the order they would be made."""
    moving: set[str] = set()
    scope = stack_scope(
        stack,
        plan,
        exports,
        unknown=lambda name: (
            name in moving or name not in stack.resources or stack.resources[name].held is None
        ),
    )
    wanted = chosen(plan, scope)
    found: list[dict[str, Any]] = []
    for name in in_order(dependencies(wanted)):
        definition = wanted[name]
        resource = stack.resources.get(name)
        if resource is None or resource.held is None:
            found.append(_change("Add", name, definition["Type"]))
            continue
        properties = evaluate(definition.get("Properties") or {}, scope)
        modified = _modified(resource, properties, tagged=plan.tags != stack.plan.tags)
        if modified is None:
            continue
        if modified["Replacement"] != "False":
            moving.add(name)
        found.append(_change("Modify", name, definition["Type"], resource.physical_id, **modified))
    for name, resource in stack.resources.items():
        if name not in wanted:
            extra = {"PolicyAction": "Retain" if resource.keep else "Delete"}
            found.append(_change("Remove", name, resource.type, resource.physical_id, **extra))
    return found


def _modified(
    resource: Resource, properties: Mapping[str, Any], *, tagged: bool
) -> dict[str, Any] | None:
    before = resource.held.properties if resource.held is not None else {}
    changed = sorted(
        key for key in {*properties, *before} if properties.get(key) != before.get(key)
    )
    if not changed and not tagged:
        return None
    known = TYPES.get(resource.type)
    details, replacement = [], "False"
    for key in changed:
        recreates = known is not None and known.replaces({key})
        # What is not known yet may turn out to be what it was.
        sure = UNKNOWN not in str(properties.get(key))
        if recreates and replacement != "True":
            replacement = "True" if sure else "Conditional"
        recreation = ("Always" if sure else "Conditionally") if recreates else "Never"
        details.append(
            {
                "Target": {
                    "Attribute": "Properties",
                    "Name": key,
                    "RequiresRecreation": recreation,
                },
                "Evaluation": "Static" if sure else "Dynamic",
                "ChangeSource": "DirectModification",
            }
        )
    scope = (["Properties"] if changed else []) + (["Tags"] if tagged else [])
    return {"Replacement": replacement, "Scope": scope, "Details": details}


def _change(
    action: str, name: str, kind: str, physical_id: str | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": name,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "Scope": [],
            "Details": [],
            **more,
        },
    }


def changes_nothing(
    stack: Stack, plan: Plan, changes: list[dict[str, Any]], exports: Mapping[str, str]
) -> bool:
    """Whether an update to a plan would leave everything as it is."""
    if changes or plan.tags != stack.plan.tags:
        return False
    try:
        scope = stack_scope(stack, plan, exports)
        after = outputs_of(_view(stack, plan), scope)
    except ValidationError:
        return False
    return after == stack.outputs


def _view(stack: Stack, plan: Plan) -> Stack:
    return Stack(
        id=stack.id,
        name=stack.name,
        account_id=stack.account_id,
        region=stack.region,
        status=stack.status,
        created_ms=stack.created_ms,
        plan=plan,
    )
