"""Making, changing, describing and deleting tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.dynamodb import table_rows
from lambdad.neighbours.dynamodb.descriptions import describe
from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.model import Settings, Stream, Table, TableKey
from lambdad.neighbours.dynamodb.service import DYNAMODB, Context, check_name, key_of, named_table
from lambdad.neighbours.dynamodb.table_changes import changed
from lambdad.neighbours.dynamodb.table_rules import check_stream, check_table, check_throughput
from lambdad.neighbours.dynamodb.table_settings import check_tags, encryption

_REFUSED = ("VectorIndexes", "GlobalTableSourceArn", "GlobalTableSettingsReplicationMode")
_KEPT = (
    "AttributeDefinitions",
    "KeySchema",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
    "BillingMode",
    "ProvisionedThroughput",
    "TableClass",
    "DeletionProtectionEnabled",
    "WarmThroughput",
    "OnDemandThroughput",
)
_LIST_MAX = 100


@DYNAMODB.operation("CreateTable")
async def create_table(context: Context, params: Params) -> Result:
    """Make a table; it can be used at once, though the answer says CREATING, as AWS's does."""
    refuse(params, _REFUSED)
    key = key_of(context, params["TableName"])
    check_throughput(params)
    check_table(params)
    now_ms = context.services.now_ms()
    settings: Settings = {name: params[name] for name in _KEPT if params.get(name)}
    settings |= {"CreatedMs": now_ms, "BillingMs": now_ms, "TableId": str(uuid4())}
    settings["Tags"] = check_tags({each["Key"]: each["Value"] for each in params.get("Tags") or ()})
    if params.get("SSESpecification"):
        settings["SSEDescription"] = encryption(context, params["SSESpecification"])
    if params.get("ResourcePolicy"):
        settings["Policy"] = {"Policy": params["ResourcePolicy"], "RevisionId": str(now_ms)}
    stream = _wanted_stream(key, settings, params.get("StreamSpecification"), now_ms)
    table = await context.services.create(key, settings, stream)
    return {"TableDescription": await _described(context, table, status="CREATING")}


def refuse(params: Params, names: tuple[str, ...]) -> None:
    """Say which parameters lambdad does not know what to do with."""
    for name in names:
        if params.get(name):
            raise ValidationException(f"lambdad does not support {name} of a table.")


def _wanted_stream(
    key: TableKey, settings: Settings, specification: Mapping[str, Any] | None, now_ms: int
) -> Stream | None:
    if not specification:
        return None
    check_stream(specification)
    if not specification["StreamEnabled"]:
        return None
    moment = datetime.fromtimestamp(now_ms / 1_000, UTC)
    label = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now_ms % 1_000:03}"
    settings["LatestStreamLabel"] = label
    return Stream(
        id=0,
        account_id=key[0],
        region=key[1],
        table_name=key[2],
        label=label,
        view_type=specification["StreamViewType"],
        key_schema=settings["KeySchema"],
        created_ms=now_ms,
        first_sequence=0,
    )


async def _described(context: Context, table: Table, **status: str) -> dict[str, Any]:
    counts = await context.services.db.read(partial(table_rows.counts, table=table))
    return describe(table, counts, **status)


@DYNAMODB.operation("DescribeTable")
async def describe_table(context: Context, params: Params) -> Result:
    """Describe a table."""
    return {"Table": await _described(context, named_table(context, params["TableName"]))}


@DYNAMODB.operation("DeleteTable")
async def delete_table(context: Context, params: Params) -> Result:
    """Delete a table with its items."""
    table = named_table(context, params["TableName"])
    if table.settings.get("DeletionProtectionEnabled"):
        raise ValidationException(
            "Resource cannot be deleted as it is currently protected against deletion. Disable "
            "deletion protection first."
        )
    described = await _described(context, table, status="DELETING")
    await context.services.delete(table)
    return {"TableDescription": described}


@DYNAMODB.operation("ListTables")
async def list_tables(context: Context, params: Params) -> Result:
    """Return the names of the tables of an account in a region, in pages."""
    limit = params.get("Limit", _LIST_MAX)
    start = params.get("ExclusiveStartTableName")
    if start is not None:
        check_name(start)
    place = (context.account_id, context.region)
    names = sorted(table.name for table in context.services.all() if table.key[:2] == place)
    names = [name for name in names if start is None or name > start]
    more = len(names) > limit
    return {
        "TableNames": names[:limit],
        "LastEvaluatedTableName": names[limit - 1] if more else None,
    }


@DYNAMODB.operation("UpdateTable")
async def update_table(context: Context, params: Params) -> Result:
    """Change throughput, indexes, stream or protection of a table."""
    refuse(
        params,
        (
            "ReplicaUpdates",
            "MultiRegionConsistency",
            "GlobalTableWitnessUpdates",
            "GlobalTableSettingsReplicationMode",
            "DisassociationProtectionEnabled",
            "VectorIndexUpdates",
        ),
    )
    table = named_table(context, params["TableName"])
    if len([name for name in params if name != "TableName"]) == 0:
        raise ValidationException(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
            "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
        )
    now_ms = context.services.now_ms()
    opened, closes = _stream_change(table, params, now_ms)

    def change(settings: Settings) -> Settings:
        after = changed(settings, params, now_ms)
        if params.get("SSESpecification"):
            after["SSEDescription"] = encryption(context, params["SSESpecification"])
        if opened is not None:
            after["LatestStreamLabel"] = opened.label
        return after

    await context.services.change(table, change, opened=opened, closes=closes)
    return {"TableDescription": await _described(context, table, status="UPDATING")}


def _stream_change(table: Table, params: Params, now_ms: int) -> tuple[Stream | None, bool]:
    """Return the stream that is to be opened, if any, and whether the present one is closed."""
    specification = params.get("StreamSpecification")
    if not specification:
        return None, False
    check_stream(specification)
    if specification["StreamEnabled"]:
        if table.stream is not None:
            raise ValidationException(
                f"Table already has an enabled stream: TableName: {table.name}"
            )
        settings = dict(table.settings)
        return _wanted_stream(table.key, settings, specification, now_ms), False
    if table.stream is None:
        raise invalid(f"Table already has a disabled stream: TableName: {table.name}")
    return None, True
