"""DynamoDB: durable puts and gets a second at 16 connections, with a stream and an index beside."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.json_client import JsonClient, rate
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess

CONNECTIONS = 16
_INDEX = {
    "IndexName": "by-kind",
    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


def measure(quick: bool) -> Iterator[Series]:
    """Put and get small items; then put into a table with a stream and an index."""
    calls = 2_000 if quick else 20_000
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        yield from uvloop.run(_measure(daemon.endpoint_url, calls))


async def _measure(url: str, calls: int) -> list[Series]:
    clients = [
        await JsonClient.connect(url, service="dynamodb", target="DynamoDB_20120810")
        for _ in range(CONNECTIONS)
    ]
    await clients[0].call("CreateTable", **_table("plain"))
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    further = {"GlobalSecondaryIndexes": [_INDEX], "StreamSpecification": stream}
    await clients[0].call("CreateTable", **_table("busy", "kind"), **further)
    numbers = itertools.count()

    def put(table: str) -> Callable[[JsonClient], Awaitable[None]]:
        async def call(client: JsonClient) -> None:
            await client.call("PutItem", TableName=table, Item=_item(next(numbers)))

        return call

    async def get(client: JsonClient) -> None:
        key = {"id": {"S": f"item-{next(numbers) % calls}"}}
        assert (await client.call("GetItem", TableName="plain", Key=key))["Item"]

    async def update(client: JsonClient) -> None:
        await client.call(
            "UpdateItem",
            TableName="plain",
            Key={"id": {"S": f"item-{next(numbers) % calls}"}},
            UpdateExpression="SET n = n + :one",
            ConditionExpression="attribute_exists(id)",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    return [
        await rate(clients, calls, "PutItem, durable, 16 connections", put("plain")),
        await rate(clients, calls, "GetItem, 16 connections", get),
        await rate(clients, calls, "UpdateItem with a condition, durable", update),
        await rate(clients, calls, "PutItem with a stream and an index, durable", put("busy")),
    ]


def _table(name: str, *further: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": each, "AttributeType": "S"} for each in ("id", *further)
        ],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


def _item(number: int) -> dict[str, Any]:
    return {
        "id": {"S": f"item-{number}"},
        "kind": {"S": f"kind-{number % 100}"},
        "n": {"N": str(number)},
        "text": {"S": "x" * 100},
        "place": {"M": {"town": {"S": "Ulm"}, "tags": {"SS": ["a", "b"]}}},
    }
