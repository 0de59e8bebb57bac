"""Tables as DescribeTable shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambdad.neighbours.dynamodb.model import ACTIVE, Table
from lambdad.neighbours.dynamodb.table_rows import Counts

_WARM_READ, _WARM_WRITE = 12_000, 4_000


def describe(table: Table, counts: Counts, *, status: str = ACTIVE) -> dict[str, Any]:
    """Return a table's description."""
    settings = table.settings
    on_demand = settings.get("BillingMode") == "PAY_PER_REQUEST"
    indexes = {
        group: [
            _index(table, definition, counts, local=group.startswith("Local"))
            for definition in settings.get(group, ())
        ]
        for group in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
    }
    billing = {
        "BillingMode": "PAY_PER_REQUEST",
        "LastUpdateToPayPerRequestDateTime": _time(settings["BillingMs"]),
    }
    table_class = settings.get("TableClass")
    return {
        "AttributeDefinitions": settings["AttributeDefinitions"],
        "TableName": table.name,
        "KeySchema": settings["KeySchema"],
        "TableStatus": status,
        "CreationDateTime": _time(settings["CreatedMs"]),
        "ProvisionedThroughput": _throughput(settings.get("ProvisionedThroughput")),
        "TableSizeBytes": counts.table[1],
        "ItemCount": counts.table[0],
        "TableArn": table.arn,
        "TableId": settings["TableId"],
        "BillingModeSummary": billing if on_demand else None,
        "LocalSecondaryIndexes": indexes["LocalSecondaryIndexes"] or None,
        "GlobalSecondaryIndexes": indexes["GlobalSecondaryIndexes"] or None,
        **_stream(table),
        "SSEDescription": settings.get("SSEDescription"),
        "TableClassSummary": {"TableClass": table_class} if table_class else None,
        "DeletionProtectionEnabled": settings.get("DeletionProtectionEnabled", False),
        "OnDemandThroughput": settings.get("OnDemandThroughput"),
        "WarmThroughput": _warm(settings),
    }


def _stream(table: Table) -> dict[str, Any]:
    label = table.settings.get("LatestStreamLabel")
    if label is None:
        return {}
    return {
        "StreamSpecification": None
        if table.stream is None
        else {"StreamEnabled": True, "StreamViewType": table.stream.view_type},
        "LatestStreamLabel": label,
        "LatestStreamArn": f"{table.arn}/stream/{label}",
    }


def _warm(settings: Mapping[str, Any]) -> dict[str, Any]:
    given = settings.get("WarmThroughput") or {}
    throughput = settings.get("ProvisionedThroughput")
    read = throughput["ReadCapacityUnits"] if throughput else _WARM_READ
    write = throughput["WriteCapacityUnits"] if throughput else _WARM_WRITE
    return {
        "ReadUnitsPerSecond": given.get("ReadUnitsPerSecond", read),
        "WriteUnitsPerSecond": given.get("WriteUnitsPerSecond", write),
        "Status": ACTIVE,
    }


def _throughput(given: Mapping[str, int] | None) -> dict[str, Any]:
    given = given or {}
    return {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": given.get("ReadCapacityUnits", 0),
        "WriteCapacityUnits": given.get("WriteCapacityUnits", 0),
    }


def _index(
    table: Table, definition: Mapping[str, Any], counts: Counts, *, local: bool
) -> dict[str, Any]:
    items, size = counts.indexes[definition["Id"]]
    described = {
        "IndexName": definition["IndexName"],
        "KeySchema": definition["KeySchema"],
        "Projection": definition["Projection"],
        "IndexSizeBytes": size,
        "ItemCount": items,
        "IndexArn": f"{table.arn}/index/{definition['IndexName']}",
    }
    if local:
        return described
    status = definition.get("IndexStatus", ACTIVE)
    return {
        **described,
        "IndexStatus": status,
        "Backfilling": None if status == ACTIVE else True,
        "ProvisionedThroughput": _throughput(definition.get("ProvisionedThroughput")),
        "OnDemandThroughput": definition.get("OnDemandThroughput"),
        "WarmThroughput": _warm(definition),
    }


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)
