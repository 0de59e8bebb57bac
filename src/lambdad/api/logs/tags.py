"""Tags of log groups."""

from __future__ import annotations

from collections.abc import Mapping

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.logs.service import (
    LOGS,
    existing_group,
    group_absent,
    key_of_arn,
    key_of_name,
)
from lambdad.domain import limits
from lambdad.domain.errors import ServiceException
from lambdad.domain.logs import LogGroupKey


class TooManyTagsException(ServiceException):
    """A resource can have no more than 50 tags."""


@LOGS.operation("ListTagsForResource")
async def list_tags_for_resource(context: RequestContext, params: Params) -> Result:
    """Return a group's tags."""
    group = await existing_group(context, key_of_arn(context, params["resourceArn"]))
    return {"tags": dict(group.tags)}


@LOGS.operation("TagResource")
async def tag_resource(context: RequestContext, params: Params) -> Result:
    """Add tags to a group or overwrite them."""
    return await _add(context, key_of_arn(context, params["resourceArn"]), params["tags"])


@LOGS.operation("UntagResource")
async def untag_resource(context: RequestContext, params: Params) -> Result:
    """Remove tags from a group."""
    return await _remove(context, key_of_arn(context, params["resourceArn"]), params["tagKeys"])


@LOGS.operation("ListTagsLogGroup")
async def list_tags_log_group(context: RequestContext, params: Params) -> Result:
    """Return a group's tags; the older form, by name."""
    group = await existing_group(context, key_of_name(context, params["logGroupName"]))
    return {"tags": dict(group.tags)}


@LOGS.operation("TagLogGroup")
async def tag_log_group(context: RequestContext, params: Params) -> Result:
    """Add tags to a group or overwrite them; the older form, by name."""
    return await _add(context, key_of_name(context, params["logGroupName"]), params["tags"])


@LOGS.operation("UntagLogGroup")
async def untag_log_group(context: RequestContext, params: Params) -> Result:
    """Remove tags from a group; the older form, by name."""
    return await _remove(context, key_of_name(context, params["logGroupName"]), params["tags"])


async def _add(context: RequestContext, key: LogGroupKey, tags: Mapping[str, str]) -> Result:
    group = await existing_group(context, key)
    merged = {**group.tags, **tags}
    if len(merged) > limits.TAGS_MAX:
        raise TooManyTagsException(f"A resource can have no more than {limits.TAGS_MAX} tags.")
    if not await context.services.log_store.put_tags(key, merged):
        raise group_absent()
    return {}


async def _remove(context: RequestContext, key: LogGroupKey, names: list[str]) -> Result:
    group = await existing_group(context, key)
    left = {name: value for name, value in group.tags.items() if name not in names}
    if not await context.services.log_store.put_tags(key, left):
        raise group_absent()
    return {}
