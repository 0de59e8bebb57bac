"""Drift: whether what a stack made still is what its template says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudformation.differences import compared
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.model import Resource, Stack
from lambdad.neighbours.cloudformation.parts import Stacks
from lambdad.neighbours.cloudformation.service import (
    CLOUDFORMATION,
    Context,
    moment,
    owner_of,
    stack_of,
)
from lambdad.neighbours.cloudformation.types.base import ResourceFailed
from lambdad.neighbours.cloudformation.types.reading import READERS
from lambdad.neighbours.paging import InvalidToken, page

_STATES = {
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
}
_PAGE = 100
_KEPT = 10
_GONE = {"MODIFIED", "DELETED"}


@CLOUDFORMATION.operation("DetectStackDrift")
async def detect_stack_drift(context: Context, params: Params) -> Result:
    """Begin to compare a stack's resources with what there is."""
    stack, services = stack_of(context, params), context.services
    _check_state(stack)
    if any(each["status"] == "DETECTION_IN_PROGRESS" for each in stack.detections):
        raise ValidationError(f"Drift detection is already in progress for stack [{stack.id}]")
    names = list(params.get("LogicalResourceIds") or ())
    for name in names:
        if name not in stack.resources:
            raise ValidationError(f"Resource {name} does not exist for stack {stack.name}")
    detection = {
        "id": str(uuid4()),
        "status": "DETECTION_IN_PROGRESS",
        "at_ms": services.journal.now_ms(),
        "names": names,
    }
    stack.detections = [*stack.detections[-_KEPT:], detection]
    await services.journal.stack(stack)
    services.spawn(detect(services, stack, detection))
    return {"StackDriftDetectionId": detection["id"]}


def _check_state(stack: Stack) -> None:
    if stack.status not in _STATES:
        raise ValidationError(
            f"Drift detection cannot be performed on stack [{stack.id}] in state [{stack.status}]"
        )


async def detect(services: Stacks, stack: Stack, detection: dict[str, Any]) -> None:
    """Compare, and store what was found; `detection` is one of the stack's."""
    names: Sequence[str] = detection["names"] or list(stack.resources)
    failed: list[str] = []

    async def look(resource: Resource) -> None:
        try:
            await _look(services, stack, resource)
        except ResourceFailed as error:
            failed.append(f"{resource.logical_id}: {error}")

    async with asyncio.TaskGroup() as group:
        for name in names:
            if name in stack.resources:
                group.create_task(look(stack.resources[name]))
    detection["status"] = "DETECTION_FAILED" if failed else "DETECTION_COMPLETE"
    detection["reason"] = "; ".join(sorted(failed))
    detection["drifted"] = sum(_status(each) in _GONE for each in stack.resources.values())
    detection["at_ms"] = services.journal.now_ms()
    await services.journal.stack(stack, also=True)


async def _look(services: Stacks, stack: Stack, resource: Resource) -> None:
    if resource.held is None or resource.type not in READERS:
        resource.drift = {"status": "NOT_CHECKED", "at_ms": services.journal.now_ms()}
        return
    actual = await services.provisioner.read(stack, resource, resource.held)
    expected = resource.held.properties
    if actual is None:
        found: dict[str, Any] = {"status": "DELETED", "expected": expected}
    else:
        wanted, there, differences = compared(expected, actual, own_tags=stack.plan.tags)
        found = {
            "status": "MODIFIED" if differences else "IN_SYNC",
            "expected": wanted,
            "actual": json.loads(json.dumps(there, default=str)),
            "differences": differences,
        }
    resource.drift = {**found, "at_ms": services.journal.now_ms()}


def _status(resource: Resource) -> str:
    return str((resource.drift or {}).get("status", "NOT_CHECKED"))


def stack_drift(stack: Stack) -> dict[str, Any]:
    """Return what DescribeStacks says of a stack's drift."""
    done = [each for each in stack.detections if each["status"] == "DETECTION_COMPLETE"]
    if not done:
        return {"StackDriftStatus": "NOT_CHECKED"}
    drifted = any(_status(each) in _GONE for each in stack.resources.values())
    return {
        "StackDriftStatus": "DRIFTED" if drifted else "IN_SYNC",
        "LastCheckTimestamp": moment(done[-1]["at_ms"]),
    }


def resource_drift(resource: Resource) -> dict[str, Any]:
    """Return what descriptions of a resource say of its drift."""
    if resource.drift is None:
        return {"StackResourceDriftStatus": "NOT_CHECKED"}
    return {
        "StackResourceDriftStatus": _status(resource),
        "LastCheckTimestamp": moment(resource.drift["at_ms"]),
    }


@CLOUDFORMATION.operation("DescribeStackDriftDetectionStatus")
async def describe_detection(context: Context, params: Params) -> Result:
    """Return how far a detection has come."""
    wanted = params["StackDriftDetectionId"]
    for stack in context.services.all(owner_of(context)):
        for each in stack.detections:
            if each["id"] == wanted:
                return _detection(stack, each)
    raise ValidationError(f"Drift detection [{wanted}] does not exist")


def _detection(stack: Stack, detection: dict[str, Any]) -> Result:
    done = detection["status"] == "DETECTION_COMPLETE"
    return {
        "StackId": stack.id,
        "StackDriftDetectionId": detection["id"],
        "StackDriftStatus": stack_drift(stack)["StackDriftStatus"] if done else None,
        "DetectionStatus": detection["status"],
        "DetectionStatusReason": detection.get("reason") or None,
        "DriftedStackResourceCount": detection.get("drifted"),
        "Timestamp": moment(detection["at_ms"]),
    }


def _described(stack: Stack, resource: Resource) -> dict[str, Any]:
    drift = resource.drift or {}
    found = {
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id or None,
        "ResourceType": resource.type,
        "StackResourceDriftStatus": _status(resource),
        "PropertyDifferences": drift.get("differences", []),
        "Timestamp": moment(drift.get("at_ms")),
    }
    for side in ("expected", "actual"):
        if side in drift:
            found[f"{side.title()}Properties"] = json.dumps(drift[side])
    return found


@CLOUDFORMATION.operation("DescribeStackResourceDrifts")
async def describe_drifts(context: Context, params: Params) -> Result:
    """Return a page of what the last detections found."""
    stack = stack_of(context, params)
    wanted = params.get("StackResourceDriftStatusFilters")
    found = [
        each
        for each in stack.resources.values()
        if each.drift is not None
        and (_status(each) in wanted if wanted else _status(each) != "NOT_CHECKED")
    ]
    try:
        drifts, token = page(
            found,
            lambda each: each.logical_id,
            limit=int(params.get("MaxResults") or _PAGE),
            token=params.get("NextToken"),
        )
    except InvalidToken:
        raise ValidationError("The NextToken is not valid.") from None
    return {"StackResourceDrifts": [_described(stack, each) for each in drifts], "NextToken": token}


@CLOUDFORMATION.operation("DetectStackResourceDrift")
async def detect_resource_drift(context: Context, params: Params) -> Result:
    """Compare one resource with what there is."""
    stack, services, name = stack_of(context, params), context.services, params["LogicalResourceId"]
    _check_state(stack)
    if name not in stack.resources:
        raise ValidationError(f"Resource {name} does not exist for stack {stack.name}")
    resource = stack.resources[name]
    if resource.type not in READERS:
        raise ValidationError(
            f"Drift detection is not supported for resources of the type {resource.type}"
        )
    try:
        await _look(services, stack, resource)
    except ResourceFailed as error:
        raise ValidationError(f"Drift of {name} could not be detected: {error}") from error
    await services.journal.stack(stack, also=True)
    return {"StackResourceDrift": _described(stack, resource)}
