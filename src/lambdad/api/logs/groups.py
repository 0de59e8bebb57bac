"""Log groups and how long they keep events."""

from __future__ import annotations

from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.logs.service import (
    LOGS,
    InvalidParameterException,
    ResourceAlreadyExistsException,
    group_absent,
    group_arn,
    key_of_name,
    now_ms,
)
from lambdad.api.logs.tokens import name_token, parse_name_token
from lambdad.controlplane.log_filters import METRIC, SUBSCRIPTION
from lambdad.domain.logs import LogGroup
from lambdad.storage.base import AlreadyExists

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_PAGE = 50


@LOGS.operation("CreateLogGroup")
async def create_log_group(context: RequestContext, params: Params) -> Result:
    """Create a group; it keeps events for ever until told otherwise."""
    key = key_of_name(context, params["logGroupName"])
    group = LogGroup(key=key, created_ms=now_ms(context), tags=dict(params.get("tags") or {}))
    try:
        await context.services.log_store.create_group(group)
    except AlreadyExists as error:
        raise ResourceAlreadyExistsException("The specified log group already exists") from error
    return {}


@LOGS.operation("DeleteLogGroup")
async def delete_log_group(context: RequestContext, params: Params) -> Result:
    """Delete a group with everything in it."""
    key = key_of_name(context, params["logGroupName"])
    if not await context.services.log_store.delete_group(key):
        raise group_absent()
    filters = context.services.log_filters
    for each in filters.of(SUBSCRIPTION, key):
        await context.services.subscriptions.delete(key, each["filterName"])
    for each in filters.of(METRIC, key):
        await filters.delete(METRIC, key, each["filterName"])
    return {}


@LOGS.operation("DescribeLogGroups")
async def describe_log_groups(context: RequestContext, params: Params) -> Result:
    """List groups by name."""
    prefix, part = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
    if prefix and part:
        raise InvalidParameterException(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    limit = params.get("limit") or _PAGE
    token = params.get("nextToken")
    after = parse_name_token(token) if token else None
    found = await _page(context, prefix or "", (part or "").lower(), after, limit + 1)
    result: dict[str, Any] = {"logGroups": [_describe(context, group) for group in found[:limit]]}
    if len(found) > limit:
        result["nextToken"] = name_token(found[limit - 1].key.name)
    return result


@LOGS.operation("PutRetentionPolicy")
async def put_retention_policy(context: RequestContext, params: Params) -> Result:
    """Say for how many days a group keeps events."""
    days = params["retentionInDays"]
    if days not in RETENTION_DAYS:
        raise InvalidParameterException(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: {list(RETENTION_DAYS)}"
        )
    return await _put_retention(context, params["logGroupName"], days)


@LOGS.operation("DeleteRetentionPolicy")
async def delete_retention_policy(context: RequestContext, params: Params) -> Result:
    """Let a group keep events for ever."""
    return await _put_retention(context, params["logGroupName"], None)


async def _put_retention(context: RequestContext, name: str, days: int | None) -> Result:
    if not await context.services.log_store.put_retention(key_of_name(context, name), days):
        raise group_absent()
    return {}


async def _page(
    context: RequestContext, prefix: str, part: str, after: str | None, limit: int
) -> list[LogGroup]:
    """Return up to `limit` groups whose lower-case name holds `part`."""
    found: list[LogGroup] = []
    size = limit if not part else 1_000
    while len(found) < limit:
        groups = await context.services.log_store.groups(
            context.account_id, context.region, prefix=prefix, after=after, limit=size
        )
        found += [group for group in groups if part in group.key.name.lower()]
        if len(groups) < size:
            break
        after = groups[-1].key.name
    return found[:limit]


def _describe(context: RequestContext, group: LogGroup) -> dict[str, Any]:
    arn = group_arn(group.key)
    described: dict[str, Any] = {
        "logGroupName": group.key.name,
        "creationTime": group.created_ms,
        "metricFilterCount": len(context.services.log_filters.of(METRIC, group.key)),
        "arn": f"{arn}:*",
        "storedBytes": group.stored_bytes,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
    }
    if group.retention_days is not None:
        described["retentionInDays"] = group.retention_days
    return described
