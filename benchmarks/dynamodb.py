"""DynamoDB: durable puts and gets a second at 16 connections, with a stream and an index beside."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess

CONNECTIONS = 16
_HEAD = (
    "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.0\r\n"
    "X-Amz-Target: DynamoDB_20120810.{operation}\r\nAuthorization: AWS4-HMAC-SHA256 "
    "Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n"
    "Content-Length: {length}\r\n\r\n"
)
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
    clients = [await _Client.connect(url) for _ in range(CONNECTIONS)]
    await clients[0].call("CreateTable", **_table("plain"))
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    further = {"GlobalSecondaryIndexes": [_INDEX], "StreamSpecification": stream}
    await clients[0].call("CreateTable", **_table("busy", "kind"), **further)
    numbers = itertools.count()

    def put(table: str) -> Callable[[_Client], Awaitable[None]]:
        async def call(client: _Client) -> None:
            await client.call("PutItem", TableName=table, Item=_item(next(numbers)))

        return call

    async def get(client: _Client) -> None:
        key = {"id": {"S": f"item-{next(numbers) % calls}"}}
        assert (await client.call("GetItem", TableName="plain", Key=key))["Item"]

    async def update(client: _Client) -> None:
        await client.call(
            "UpdateItem",
            TableName="plain",
            Key={"id": {"S": f"item-{next(numbers) % calls}"}},
            UpdateExpression="SET n = n + :one",
            ConditionExpression="attribute_exists(id)",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    return [
        await _rate(clients, calls, "PutItem, durable, 16 connections", put("plain")),
        await _rate(clients, calls, "GetItem, 16 connections", get),
        await _rate(clients, calls, "UpdateItem with a condition, durable", update),
        await _rate(clients, calls, "PutItem with a stream and an index, durable", put("busy")),
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


async def _rate(
    clients: list[_Client], calls: int, name: str, call: Callable[[_Client], Awaitable[None]]
) -> Series:
    left = iter(range(calls))

    async def work(client: _Client) -> None:
        for _ in left:
            await call(client)

    before = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(work(client))
    took_s = time.perf_counter() - before
    return Series(row="", name=name, unit="1/s", values=[calls / took_s])


class _Client:
    """One kept connection."""

    def __init__(
        self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._host, self._reader, self._writer = host, reader, writer

    @classmethod
    async def connect(cls, url: str) -> _Client:
        host = urlsplit(url)
        return cls(host.netloc, *await asyncio.open_connection(host.hostname, host.port))

    async def call(self, operation: str, **params: object) -> dict[str, Any]:
        body = json.dumps(params).encode()
        head = _HEAD.format(host=self._host, operation=operation, length=len(body))
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(each[15:]) for each in lines if each.startswith("content-length:"))
        answer = await self._reader.readexactly(length)
        if " 200 " not in lines[0]:
            raise RuntimeError(f"{operation}: {answer.decode()}")
        document: dict[str, Any] = json.loads(answer or b"{}")
        return document
