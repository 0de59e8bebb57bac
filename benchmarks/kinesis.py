"""Kinesis: durable calls a second at 16 connections: PutRecord, then GetRecords of one record."""

from __future__ import annotations

import base64
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvloop

from benchmarks.json_client import JsonClient, rate
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess

CONNECTIONS = 16
_STREAM = "s"
_DATA = base64.b64encode(b"x" * 100).decode()


def measure(quick: bool) -> Iterator[Series]:
    """Put records one by one and 500 at a time, then read."""
    calls = 2_000 if quick else 20_000
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        yield from uvloop.run(_measure(daemon.endpoint_url, calls))


async def _measure(url: str, calls: int) -> list[Series]:
    clients = [
        await JsonClient.connect(url, service="kinesis", target="Kinesis_20131202")
        for _ in range(CONNECTIONS)
    ]
    await clients[0].call("CreateStream", StreamName=_STREAM, ShardCount=CONNECTIONS)
    keys = itertools.count()

    async def put(client: JsonClient) -> None:
        key = str(next(keys))
        await client.call("PutRecord", StreamName=_STREAM, Data=_DATA, PartitionKey=key)

    async def put_many(client: JsonClient) -> None:
        entries = [{"Data": _DATA, "PartitionKey": str(next(keys))} for _ in range(500)]
        await client.call("PutRecords", StreamName=_STREAM, Records=entries)

    shards = itertools.cycle(range(CONNECTIONS))
    iterators: dict[JsonClient, str] = {}

    async def get(client: JsonClient) -> None:
        if client not in iterators:
            answer = await client.call(
                "GetShardIterator",
                StreamName=_STREAM,
                ShardId=f"shardId-{next(shards):012}",
                ShardIteratorType="TRIM_HORIZON",
            )
            iterators[client] = answer["ShardIterator"]
        answer = await client.call("GetRecords", ShardIterator=iterators[client], Limit=1)
        iterators[client] = answer["NextShardIterator"]

    batches = max(50, calls // 100)
    return [
        await rate(clients, calls, "PutRecord, durable, 16 connections", put),
        await rate(clients, batches, "PutRecords of 500, records", put_many, each=500),
        await rate(clients, calls, "GetRecords of 1, 16 connections", get),
    ]
