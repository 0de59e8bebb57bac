"""What stacks are, what is in them and what happened to them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudformation import rows
from lambdad.neighbours.cloudformation.drift import resource_drift, stack_drift
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.model import Resource, Stack
from lambdad.neighbours.cloudformation.parameters import shown
from lambdad.neighbours.cloudformation.service import (
    CLOUDFORMATION,
    Context,
    moment,
    owner_of,
    pairs,
    stack_of,
)
from lambdad.neighbours.paging import InvalidToken, page

_PAGE = 100
_LAST_MS = 10**14


def _described(stack: Stack, parents: dict[str, Stack]) -> dict[str, Any]:
    parent = root = parents.get(stack.id)
    while root is not None and root.id in parents:
        root = parents[root.id]
    return {
        "ParentId": None if parent is None else parent.id,
        "RootId": None if root is None else root.id,
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "Description": stack.plan.document.get("Description"),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in shown(stack.plan.template, stack.plan.parameters).items()
        ],
        "CreationTime": moment(stack.created_ms),
        "LastUpdatedTime": moment(stack.updated_ms),
        "DeletionTime": moment(stack.deleted_ms),
        "RollbackConfiguration": stack.rollback,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason or None,
        "DisableRollback": stack.on_failure == "DO_NOTHING",
        "NotificationARNs": stack.notification_arns,
        "TimeoutInMinutes": stack.timeout_minutes,
        "Capabilities": stack.plan.capabilities,
        "Outputs": stack.outputs,
        "RoleARN": stack.role_arn,
        "Tags": pairs(stack.plan.tags),
        "EnableTerminationProtection": stack.termination_protection,
        "DriftInformation": stack_drift(stack),
    }


def _paged(items: list[Stack], token: str | None) -> tuple[list[Stack], str | None]:
    try:
        return page(
            items,
            lambda each: f"{_LAST_MS - each.created_ms:015}{each.id}",
            limit=_PAGE,
            token=token,
        )
    except InvalidToken:
        raise ValidationError("The NextToken is not valid.") from None


@CLOUDFORMATION.operation("DescribeStacks")
async def describe_stacks(context: Context, params: Params) -> Result:
    """Return one stack, or all that are not deleted."""
    parents = context.services.parents(owner_of(context))
    if params.get("StackName"):
        return {"Stacks": [_described(stack_of(context, params), parents)]}
    found = [each for each in context.services.all(owner_of(context)) if not each.deleted]
    stacks, token = _paged(found, params.get("NextToken"))
    return {"Stacks": [_described(each, parents) for each in stacks], "NextToken": token}


@CLOUDFORMATION.operation("ListStacks")
async def list_stacks(context: Context, params: Params) -> Result:
    """Return short forms of stacks, deleted ones too."""
    wanted = params.get("StackStatusFilter")
    found = [
        each
        for each in context.services.all(owner_of(context))
        if not wanted or each.status in wanted
    ]
    stacks, token = _paged(found, params.get("NextToken"))
    return {
        "StackSummaries": [
            {
                "StackId": each.id,
                "StackName": each.name,
                "TemplateDescription": each.plan.document.get("Description"),
                "CreationTime": moment(each.created_ms),
                "LastUpdatedTime": moment(each.updated_ms),
                "DeletionTime": moment(each.deleted_ms),
                "StackStatus": each.status,
                "StackStatusReason": each.reason or None,
                "DriftInformation": stack_drift(each),
            }
            for each in stacks
        ],
        "NextToken": token,
    }


@CLOUDFORMATION.operation("DescribeStackEvents")
async def describe_stack_events(context: Context, params: Params) -> Result:
    """Return what happened to a stack, newest first."""
    stack = stack_of(context, params)
    token = params.get("NextToken")
    before = int(token) if token and token.isdecimal() else None
    await context.services.journal.written(stack)
    found, following = await context.services.db.read(
        partial(rows.events, stack_id=stack.id, before=before, limit=_PAGE)
    )
    events = [
        {
            "StackId": stack.id,
            "EventId": each.event_id,
            "StackName": stack.name,
            "LogicalResourceId": each.logical_id,
            "PhysicalResourceId": each.physical_id,
            "ResourceType": each.type,
            "Timestamp": moment(each.at_ms),
            "ResourceStatus": each.status,
            "ResourceStatusReason": each.reason or None,
            "ResourceProperties": each.properties or None,
            "ClientRequestToken": each.token or None,
        }
        for each in found
    ]
    return {"StackEvents": events, "NextToken": None if following is None else str(following)}


def _resource(stack: Stack, resource: Resource, *others: str) -> dict[str, Any]:
    """Return a resource in one of its three forms: without the members that are the others'."""
    found = {
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id or None,
        "ResourceType": resource.type,
        "Timestamp": moment(resource.changed_ms),
        "LastUpdatedTimestamp": moment(resource.changed_ms),
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason or None,
        "Metadata": json.dumps(resource.metadata) if resource.metadata else None,
        "DriftInformation": resource_drift(resource),
    }
    return {name: value for name, value in found.items() if name not in others}


@CLOUDFORMATION.operation("DescribeStackResource")
async def describe_stack_resource(context: Context, params: Params) -> Result:
    """Return a resource of a stack."""
    stack, name = stack_of(context, params), params["LogicalResourceId"]
    if name not in stack.resources:
        raise ValidationError(f"Resource {name} does not exist for stack {stack.name}")
    return {"StackResourceDetail": _resource(stack, stack.resources[name], "Timestamp")}


@CLOUDFORMATION.operation("DescribeStackResources")
async def describe_stack_resources(context: Context, params: Params) -> Result:
    """Return the resources of a stack, which may be named by one of them."""
    physical_id = params.get("PhysicalResourceId")
    if params.get("StackName"):
        stack: Stack | None = stack_of(context, params)
    else:
        stack = next(
            (
                each
                for each in context.services.all(owner_of(context))
                if any(one.physical_id == physical_id for one in each.resources.values())
            ),
            None,
        )
    if stack is None:
        raise ValidationError(f"Stack for {physical_id} does not exist")
    name = params.get("LogicalResourceId")
    return {
        "StackResources": [
            _resource(stack, each, "LastUpdatedTimestamp", "Metadata")
            for each in stack.resources.values()
            if name in (None, each.logical_id) and physical_id in (None, each.physical_id)
        ]
    }


@CLOUDFORMATION.operation("ListStackResources")
async def list_stack_resources(context: Context, params: Params) -> Result:
    """Return a page of the resources of a stack."""
    stack = stack_of(context, params)
    try:
        found, token = page(
            stack.resources.values(),
            lambda each: each.logical_id,
            limit=_PAGE,
            token=params.get("NextToken"),
        )
    except InvalidToken:
        raise ValidationError("The NextToken is not valid.") from None
    return {
        "StackResourceSummaries": [
            _resource(stack, each, "StackName", "StackId", "Timestamp", "Metadata")
            for each in found
        ],
        "NextToken": token,
    }


@CLOUDFORMATION.operation("ListExports")
async def list_exports(context: Context, params: Params) -> Result:
    """Return what stacks export."""
    found = context.services.exports(owner_of(context))
    return {
        "Exports": [
            {"ExportingStackId": stack.id, "Name": name, "Value": value}
            for name, (stack, value) in sorted(found.items())
        ]
    }


@CLOUDFORMATION.operation("ListImports")
async def list_imports(context: Context, params: Params) -> Result:
    """Return who imports an export."""
    name = params["ExportName"]
    owner = owner_of(context)
    if name not in context.services.exports(owner):
        raise ValidationError(f"Export '{name}' does not exist.")
    found = context.services.importers(owner, name)
    if not found:
        raise ValidationError(f"Export '{name}' is not imported by any stack.")
    return {"Imports": found}
