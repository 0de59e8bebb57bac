"""What deploy tools set on a table and read again: tags, expiry, backups, policies, limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.dynamodb.errors import (
    PolicyNotFoundException,
    ResourceNotFoundException,
    ValidationException,
    invalid,
)
from lambdad.neighbours.dynamodb.model import Settings, Table
from lambdad.neighbours.dynamodb.service import DYNAMODB, Context, named_table

_TAGS_MAX = 50
_RECOVERY_DAYS = 35
_TABLE_OF = re.compile(r"(arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table/[a-zA-Z0-9_.-]+)(/.*)?")


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return tags if a table can have them."""
    if len(tags) > _TAGS_MAX:
        raise invalid("Too many tags: a resource can have up to 50")
    if any(key.lower().startswith("aws:") for key in tags):
        raise ValidationException("Tag keys cannot begin with aws:")
    return tags


def encryption(context: Context, specification: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how a table says it is encrypted."""
    if not specification.get("Enabled"):
        return None
    place = f"arn:aws:kms:{context.region}:{context.account_id}"
    key = specification.get("KMSMasterKeyId") or "alias/aws/dynamodb"
    arn = key if key.startswith("arn:") else f"{place}:{key if '/' in key else f'key/{key}'}"
    return {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn}


def _resource(context: Context, arn: str) -> Table:
    match = _TABLE_OF.fullmatch(arn)
    if match is None:
        raise ValidationException(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    try:
        return named_table(context, match[1])
    except ResourceNotFoundException as error:
        raise ResourceNotFoundException(
            f"Requested resource not found: ResourcArn: {arn} not found"
        ) from error


# --- tags -----------------------------------------------------------------------------------


@DYNAMODB.operation("TagResource")
async def tag_resource(context: Context, params: Params) -> Result:
    """Add tags to a table, or give some another value."""
    table = _resource(context, params["ResourceArn"])
    given = {each["Key"]: each["Value"] for each in params["Tags"]}

    def change(settings: Settings) -> Settings:
        return {**settings, "Tags": check_tags({**settings.get("Tags", {}), **given})}

    await context.services.change(table, change)
    return {}


@DYNAMODB.operation("UntagResource")
async def untag_resource(context: Context, params: Params) -> Result:
    """Take tags away from a table."""
    table = _resource(context, params["ResourceArn"])

    def change(settings: Settings) -> Settings:
        tags = settings.get("Tags", {}).items()
        return {**settings, "Tags": {k: v for k, v in tags if k not in params["TagKeys"]}}

    await context.services.change(table, change)
    return {}


@DYNAMODB.operation("ListTagsOfResource")
async def list_tags_of_resource(context: Context, params: Params) -> Result:
    """Return a table's tags."""
    tags = _resource(context, params["ResourceArn"]).settings.get("Tags", {})
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


# --- time to live ---------------------------------------------------------------------------


@DYNAMODB.operation("DescribeTimeToLive")
async def describe_time_to_live(context: Context, params: Params) -> Result:
    """Say by which attribute items of a table end."""
    attribute = named_table(context, params["TableName"]).ttl_attribute
    if attribute is None:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}


@DYNAMODB.operation("UpdateTimeToLive")
async def update_time_to_live(context: Context, params: Params) -> Result:
    """Let items end by an attribute, or let them not."""
    table = named_table(context, params["TableName"])
    wanted = params["TimeToLiveSpecification"]

    def change(settings: Settings) -> Settings:
        current = (settings.get("TimeToLive") or {}).get("AttributeName")
        if wanted["Enabled"]:
            if current == wanted["AttributeName"]:
                raise ValidationException("TimeToLive is already enabled")
            if current is not None:
                raise ValidationException(
                    f"TimeToLive is active on a different AttributeName: current AttributeName is "
                    f"{current}"
                )
            chosen = {"AttributeName": wanted["AttributeName"], "Filling": True}
            return {**settings, "TimeToLive": chosen}
        if current is None:
            raise ValidationException("TimeToLive is already disabled")
        if current != wanted["AttributeName"]:
            raise ValidationException(
                f"TimeToLive is active on a different AttributeName: current AttributeName is "
                f"{current}"
            )
        return {**settings, "TimeToLive": {}}

    await context.services.change(table, change)
    return {"TimeToLiveSpecification": wanted}


# --- backups, as tools read and set them -------------------------------------------------------


def _backups(context: Context, table: Table) -> dict[str, Any]:
    recovery = table.settings.get("PointInTimeRecovery") or {}
    described: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
    if recovery:
        now = context.services.now_ms() / 1_000
        earliest = max(recovery["SinceMs"] / 1_000, now - recovery["Days"] * 86_400)
        described = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": recovery["Days"],
            "EarliestRestorableDateTime": datetime.fromtimestamp(int(earliest), UTC),
            "LatestRestorableDateTime": datetime.fromtimestamp(int(now), UTC),
        }
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": described,
        }
    }


@DYNAMODB.operation("DescribeContinuousBackups")
async def describe_continuous_backups(context: Context, params: Params) -> Result:
    """Say whether point-in-time recovery was asked for; nothing can be restored here."""
    return _backups(context, named_table(context, params["TableName"]))


@DYNAMODB.operation("UpdateContinuousBackups")
async def update_continuous_backups(context: Context, params: Params) -> Result:
    """Take note of whether point-in-time recovery is wanted."""
    table = named_table(context, params["TableName"])
    wanted = params["PointInTimeRecoverySpecification"]
    days = wanted.get("RecoveryPeriodInDays") or _RECOVERY_DAYS
    now_ms = context.services.now_ms()

    def change(settings: Settings) -> Settings:
        since_ms = (settings.get("PointInTimeRecovery") or {}).get("SinceMs", now_ms)
        enabled = wanted["PointInTimeRecoveryEnabled"]
        recovery = {"SinceMs": since_ms, "Days": days} if enabled else {}
        return {**settings, "PointInTimeRecovery": recovery}

    await context.services.change(table, change)
    return _backups(context, table)


# --- policies -------------------------------------------------------------------------------


@DYNAMODB.operation("PutResourcePolicy")
async def put_resource_policy(context: Context, params: Params) -> Result:
    """Store a table's policy."""
    table = _resource(context, params["ResourceArn"])
    revision = str(uuid4())
    expected = params.get("ExpectedRevisionId")

    def change(settings: Settings) -> Settings:
        current = (settings.get("Policy") or {}).get("RevisionId")
        if expected is not None and expected != (current or "NO_POLICY"):
            raise PolicyNotFoundException(
                "Resource-based policy not found for the provided RevisionId"
            )
        return {**settings, "Policy": {"Policy": params["Policy"], "RevisionId": revision}}

    await context.services.change(table, change)
    return {"RevisionId": revision}


@DYNAMODB.operation("GetResourcePolicy")
async def get_resource_policy(context: Context, params: Params) -> Result:
    """Return a table's policy."""
    policy = _resource(context, params["ResourceArn"]).settings.get("Policy")
    if not policy:
        raise PolicyNotFoundException(
            f"Resource-based policy not found for the provided ResourceArn: {params['ResourceArn']}"
        )
    return {"Policy": policy["Policy"], "RevisionId": policy["RevisionId"]}


@DYNAMODB.operation("DeleteResourcePolicy")
async def delete_resource_policy(context: Context, params: Params) -> Result:
    """Take a table's policy away."""
    table = _resource(context, params["ResourceArn"])
    before = table.settings.get("Policy") or {}
    await context.services.change(table, lambda settings: {**settings, "Policy": None})
    return {"RevisionId": before.get("RevisionId")}


# --- the service ----------------------------------------------------------------------------


@DYNAMODB.operation("DescribeLimits")
async def describe_limits(context: Context, params: Params) -> Result:
    """Return AWS's limits; lambdad holds nobody to them."""
    return {
        "AccountMaxReadCapacityUnits": 80_000,
        "AccountMaxWriteCapacityUnits": 80_000,
        "TableMaxReadCapacityUnits": 40_000,
        "TableMaxWriteCapacityUnits": 40_000,
    }


@DYNAMODB.operation("DescribeEndpoints")
async def describe_endpoints(context: Context, params: Params) -> Result:
    """Name this endpoint, for clients that look for one."""
    address = urlsplit(context.base_url).netloc
    return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": 1440}]}


@DYNAMODB.operation("DescribeKinesisStreamingDestination")
async def describe_kinesis_streaming_destination(context: Context, params: Params) -> Result:
    """Say that a table sends its changes to no Kinesis stream."""
    table = named_table(context, params["TableName"])
    return {"TableName": table.name, "KinesisDataStreamDestinations": []}


@DYNAMODB.operation("DescribeContributorInsights")
async def describe_contributor_insights(context: Context, params: Params) -> Result:
    """Say that nobody counts which keys are used most."""
    table = named_table(context, params["TableName"])
    return {
        "TableName": table.name,
        "IndexName": params.get("IndexName"),
        "ContributorInsightsStatus": "DISABLED",
    }
