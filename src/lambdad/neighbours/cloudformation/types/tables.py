"""AWS::DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambdad.neighbours.cloudformation.types.base import (
    Change,
    Made,
    Naming,
    ResourceFailed,
    ResourceType,
    Work,
)

_TABLE_APART = (
    "TableName",
    "Tags",
    "TimeToLiveSpecification",
    "PointInTimeRecoverySpecification",
    "StreamSpecification",
    "SSESpecification",
)


def _table(work: Work, name: str) -> Made:
    found = work.call("dynamodb", "DescribeTable", TableName=name)["Table"]
    attributes = {"Arn": found["TableArn"]}
    if found.get("LatestStreamArn"):
        attributes["StreamArn"] = found["LatestStreamArn"]
    return Made(physical_id=name, attributes=attributes)


def _stream_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    stream = properties.get("StreamSpecification")
    return {"StreamSpecification": {"StreamEnabled": True, **stream}} if stream else {}


def _create_table(work: Work) -> Made:
    encryption = work.get("SSESpecification") or {}
    work.create(
        "dynamodb",
        "CreateTable",
        **work.without(*_TABLE_APART),
        TableName=work.name,
        Tags=work.tag_list(),
        **_stream_of(work.properties),
        **(
            {"SSESpecification": {**encryption, "Enabled": encryption.get("SSEEnabled", True)}}
            if encryption
            else {}
        ),
    )
    work.wait("dynamodb", "table_exists", TableName=work.name)
    _set_table_extras(work, work.name)
    return _table(work, work.name)


def _set_table_extras(work: Work, name: str) -> None:
    if work.changed("TimeToLiveSpecification"):
        wanted = work.get("TimeToLiveSpecification") or {
            **(work.previous.get("TimeToLiveSpecification") or {}),
            "Enabled": False,
        }
        work.call("dynamodb", "UpdateTimeToLive", TableName=name, TimeToLiveSpecification=wanted)
    if work.changed("PointInTimeRecoverySpecification"):
        wanted = work.get("PointInTimeRecoverySpecification") or {
            "PointInTimeRecoveryEnabled": False
        }
        work.call(
            "dynamodb",
            "UpdateContinuousBackups",
            TableName=name,
            PointInTimeRecoverySpecification=wanted,
        )


def _index_changes(work: Work) -> list[dict[str, Any]]:
    before, after = (
        {index["IndexName"]: index for index in each.get("GlobalSecondaryIndexes") or ()}
        for each in (work.previous, work.properties)
    )
    changes: list[dict[str, Any]] = [
        {"Delete": {"IndexName": name}}
        for name, index in before.items()
        if name not in after or after[name].get("KeySchema") != index.get("KeySchema")
    ]
    changes += [
        {"Create": index}
        for name, index in after.items()
        if name not in before or before[name].get("KeySchema") != index.get("KeySchema")
    ]
    return changes


def _update_table(work: Work) -> Made:
    name = work.physical_id
    params: dict[str, Any] = {
        key: work.get(key)
        for key in (
            "BillingMode",
            "ProvisionedThroughput",
            "DeletionProtectionEnabled",
            "TableClass",
        )
        if work.changed(key) and work.get(key) is not None
    }
    if work.changed("StreamSpecification"):
        params |= _stream_of(work.properties) or {"StreamSpecification": {"StreamEnabled": False}}
    if params:
        work.call("dynamodb", "UpdateTable", TableName=name, **params)
        work.wait("dynamodb", "table_exists", TableName=name)
    for change in _index_changes(work):
        # The API takes one such change at a time.
        work.call(
            "dynamodb",
            "UpdateTable",
            TableName=name,
            AttributeDefinitions=work.get("AttributeDefinitions"),
            GlobalSecondaryIndexUpdates=[change],
        )
        work.wait("dynamodb", "table_exists", TableName=name)
    _set_table_extras(work, name)
    _set_table_tags(work, name)
    return _table(work, name)


def _set_table_tags(work: Work, name: str) -> None:
    arn, old, new = work.arn("dynamodb", f"table/{name}"), work.tags(work.previous), work.tags()
    if removed := [each for each in old if each not in new]:
        work.call("dynamodb", "UntagResource", ResourceArn=arn, TagKeys=removed)
    if new and new != old:
        work.call("dynamodb", "TagResource", ResourceArn=arn, Tags=work.tag_list())


def _delete_table(work: Work) -> None:
    work.remove("dynamodb", "DeleteTable", TableName=work.physical_id)
    work.wait("dynamodb", "table_not_exists", TableName=work.physical_id)


def _as_table(work: Work) -> Work:
    """Return the work on a global table as one on a table: its replica in the stack's region."""
    return replace(
        work, properties=_local(work, work.properties), previous=_local(work, work.previous)
    )


def _local(work: Work, properties: Mapping[str, Any]) -> dict[str, Any]:
    if not properties:
        return {}
    replicas = properties.get("Replicas") or []
    regions = [each.get("Region") for each in replicas]
    if regions != [work.calls.region]:
        raise ResourceFailed(
            f"A global table has one replica here, in {work.calls.region}: lambdad copies nothing "
            "to other regions."
        )
    kept = {
        name: value
        for name, value in properties.items()
        if name not in ("Replicas", "WriteProvisionedThroughputSettings")
    }
    own = ("DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "TableClass", "Tags")
    return kept | {name: replicas[0][name] for name in own if name in replicas[0]}


def _global(change: Change) -> Change:
    return lambda work: change(_as_table(work))


TYPES = (
    ResourceType(
        name="AWS::DynamoDB::GlobalTable",
        by_name=True,
        create=_global(_create_table),
        update=_global(_update_table),
        delete=_delete_table,
        naming=Naming(property="TableName"),
        fixed=frozenset({"KeySchema", "LocalSecondaryIndexes"}),
        required=("AttributeDefinitions", "KeySchema", "Replicas"),
    ),
    ResourceType(
        name="AWS::DynamoDB::Table",
        by_name=True,
        create=_create_table,
        update=_update_table,
        delete=_delete_table,
        naming=Naming(property="TableName"),
        fixed=frozenset({"KeySchema", "LocalSecondaryIndexes"}),
        required=("KeySchema",),
    ),
)
