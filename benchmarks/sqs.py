"""SQS: durable calls a second at 16 connections; receiving from a long queue against a short one.

Messages that wait are written into the queue's database before the start; sending them is measured
apart. A power-cut-proof write costs what the disk's flush costs, so its floor is measured too.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from benchmarks.json_client import JsonClient, rate
from benchmarks.series import Series
from lambdad.domain.clock import SystemClock
from lambdad.neighbours.sqs import message_rows, queue_rows
from lambdad.neighbours.sqs.attributes import defaults
from lambdad.neighbours.sqs.message_rows import Target
from lambdad.neighbours.sqs.model import Outgoing, Queue
from lambdad.storage.registry import engine
from lambdad.testing.daemon import DaemonProcess

CONNECTIONS = 16
MANY, FEW = 1_000_000, 1_000
_ACCOUNT, _REGION = "000000000000", "us-east-1"
_CHUNK = 5_000


def measure(quick: bool) -> Iterator[Series]:
    """Send, receive and delete; then receive from queues of two lengths in turn."""
    calls = 2_000 if quick else 20_000
    many = MANY // 20 if quick else MANY
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_fill(Path(directory), {"few": FEW, "many": many}))
        yield Series(row="", name="fsync of 4 KiB", unit="ms", values=_flushes(Path(directory)))
        with DaemonProcess(Path(directory)) as daemon:
            yield from uvloop.run(_measure(daemon.endpoint_url, calls, many))


async def _measure(url: str, calls: int, many: int) -> list[Series]:
    clients = [
        await JsonClient.connect(url, service="sqs", target="AmazonSQS") for _ in range(CONNECTIONS)
    ]
    await clients[0].call("CreateQueue", QueueName="q")
    found = [
        await rate(clients, calls, "SendMessage, durable, 16 connections", _send),
        await rate(clients, calls, "ReceiveMessage of 1, 16 connections", _receive),
    ]
    await clients[0].call("CreateQueue", QueueName="pairs")
    found.append(await rate(clients, calls // 2, "send, receive, delete: three calls", _cycle))
    times: dict[str, list[float]] = {"few": [], "many": []}
    for _ in range(FEW // 5):
        for name, values in times.items():
            before = time.perf_counter()
            await clients[0].call("ReceiveMessage", QueueUrl=f"/{_ACCOUNT}/{name}")
            values.append((time.perf_counter() - before) * 1_000)
    for name, count in (("few", FEW), ("many", many)):
        title = f"ReceiveMessage with {count:,} waiting"
        found.append(Series(row="", name=title, unit="ms", values=times[name]))
    ratio = found[-1].quantile(0.5) / found[-2].quantile(0.5)
    found.append(Series(row="", name="ReceiveMessage, many : few", unit="x", values=[ratio]))
    return found


async def _send(client: JsonClient) -> None:
    await client.call("SendMessage", QueueUrl=f"/{_ACCOUNT}/q", MessageBody="x" * 100)


async def _receive(client: JsonClient) -> None:
    answer = await client.call("ReceiveMessage", QueueUrl=f"/{_ACCOUNT}/q")
    assert answer["Messages"]


async def _cycle(client: JsonClient) -> None:
    url = f"/{_ACCOUNT}/pairs"
    await client.call("SendMessage", QueueUrl=url, MessageBody="x" * 100)
    (message,) = (await client.call("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=5))["Messages"]
    await client.call("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def _flushes(directory: Path) -> list[float]:
    values = []
    with (directory / "floor").open("wb") as file:
        for _ in range(100):
            before = time.perf_counter()
            file.write(bytes(4_096))
            file.flush()
            os.fsync(file.fileno())
            values.append((time.perf_counter() - before) * 1_000)
    return values


async def _fill(directory: Path, lengths: dict[str, int]) -> None:
    """Write queues with messages into a data directory."""
    store = engine("sqlite")(directory, SystemClock())
    await store.open()
    db = store.database("sqs")
    await db.open()
    now_ms = int(SystemClock().time() * 1_000)
    for name, count in lengths.items():
        queue = Queue(
            id=0,
            account_id=_ACCOUNT,
            region=_REGION,
            name=name,
            created_ms=now_ms,
            modified_ms=now_ms,
            attributes=defaults(fifo=False),
            tags={},
        )
        queue_id = await db.write(
            lambda connection, made=queue: queue_rows.insert(connection, made)
        )
        target = Target(id=queue_id, arn=queue.arn, fifo=False, retention_ms=10**9)
        for begin in range(0, count, _CHUNK):
            chunk = [
                Outgoing(message_id=f"{name}-{number}", body="x" * 100)
                for number in range(begin, min(begin + _CHUNK, count))
            ]
            await db.write(
                lambda connection, to=target, messages=chunk: message_rows.insert(
                    connection, to, messages, now_ms
                )
            )
    await db.close()
    await store.close()
