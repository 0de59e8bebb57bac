"""Schedule groups and their tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.scheduler.errors import (
    ConflictException,
    ResourceNotFoundException,
    ValidationException,
)
from lambdad.neighbours.scheduler.model import DEFAULT, Group
from lambdad.neighbours.scheduler.service import SCHEDULER, Context, group_arn, paged


@SCHEDULER.operation("CreateScheduleGroup")
async def create_schedule_group(context: Context, params: Params) -> Result:
    """Make a group."""
    arn, now_ms = group_arn(context, params["Name"]), context.services.now_ms()
    try:
        existing = context.services.group(arn)
    except ResourceNotFoundException:
        group = Group(
            account_id=context.account_id,
            region=context.region,
            name=params["Name"],
            created_ms=now_ms,
            modified_ms=now_ms,
            tags=_tags(params),
            client_token=params.get("ClientToken"),
        )
        await context.services.put_group(group)
        return {"ScheduleGroupArn": arn}
    if existing.client_token and existing.client_token == params.get("ClientToken"):
        return {"ScheduleGroupArn": arn}
    raise ConflictException(f"Schedule group {params['Name']} already exists.")


@SCHEDULER.operation("GetScheduleGroup")
async def get_schedule_group(context: Context, params: Params) -> Result:
    """Return a group."""
    return _told(context.services.group(group_arn(context, params["Name"])))


@SCHEDULER.operation("ListScheduleGroups")
async def list_schedule_groups(context: Context, params: Params) -> Result:
    """Return the groups whose names begin with a text."""
    prefix = params.get("NamePrefix") or ""
    own = [
        group
        for group in context.services.groups()
        if (group.account_id, group.region) == (context.account_id, context.region)
        and group.name != DEFAULT
    ]
    own.append(context.services.group(group_arn(context, DEFAULT)))
    found = [group for group in own if group.name.startswith(prefix)]
    page, token = paged(params, found, lambda group: group.name)
    return {"ScheduleGroups": [_told(group) for group in page], "NextToken": token}


@SCHEDULER.operation("DeleteScheduleGroup")
async def delete_schedule_group(context: Context, params: Params) -> Result:
    """Delete a group with its schedules."""
    if params["Name"] == DEFAULT:
        raise ValidationException("The default schedule group cannot be deleted.")
    group = context.services.group(group_arn(context, params["Name"]))
    await context.services.remove_group(group)
    return {}


@SCHEDULER.operation("ListTagsForResource")
async def list_tags_for_resource(context: Context, params: Params) -> Result:
    """Return the tags of a group."""
    tags = _tagged(context, params).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@SCHEDULER.operation("TagResource")
async def tag_resource(context: Context, params: Params) -> Result:
    """Add tags to a group, or give some another value."""
    group = _tagged(context, params)
    await context.services.put_group(replace(group, tags={**group.tags, **_tags(params)}))
    return {}


@SCHEDULER.operation("UntagResource")
async def untag_resource(context: Context, params: Params) -> Result:
    """Take tags from a group."""
    group, gone = _tagged(context, params), set(params["TagKeys"])
    kept = {key: value for key, value in group.tags.items() if key not in gone}
    await context.services.put_group(replace(group, tags=kept))
    return {}


def _tagged(context: Context, params: Params) -> Group:
    arn = params["ResourceArn"]
    if ":schedule-group/" not in arn:
        raise ValidationException(f"{arn} is not the ARN of a schedule group.")
    return context.services.group(arn)


def _tags(params: Params) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in params.get("Tags") or ()}


def _told(group: Group) -> Mapping[str, Any]:
    return {
        "Arn": group.arn,
        "Name": group.name,
        "State": "ACTIVE",
        "CreationDate": datetime.fromtimestamp(group.created_ms / 1_000, UTC),
        "LastModificationDate": datetime.fromtimestamp(group.modified_ms / 1_000, UTC),
    }
