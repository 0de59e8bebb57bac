"""What an invocation costs the server against what there is: functions, stored logs, lines printed.

A curve should be flat. The cost is processor time of the daemon, so that what else the machine
does counts little.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cold_python import HANDLER
from benchmarks.functions_scale import store_functions
from benchmarks.load import drive, invoke_path, runtime
from benchmarks.processor import used_us
from benchmarks.series import Series
from lambdad.domain.clock import SystemClock
from lambdad.domain.logs import LogEvent, LogGroupKey, segments_of
from lambdad.storage.registry import engine
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_GROUP = LogGroupKey(account_id="000000000000", region="us-east-1", name="/aws/lambda/old")
_BATCH = 5_000
_STREAMS = 100
_ROUNDS = 5
PRINTER = """
def handler(event, context):
    for number in range(LINES):
        print("a line of some forty characters, number", number)
"""


def measure(quick: bool) -> Iterator[Series]:
    """Measure each curve from its least to its most."""
    requests = 100 if quick else 500
    for count in (10, 1_000) if quick else (10, 100, 1_000, 10_000):
        yield from _functions(count, requests)
    for count in (0, 20_000) if quick else (0, 10_000, 100_000, 1_000_000):
        yield from _stored(count, requests)
    yield from _printed((0, 10, 100) if quick else (0, 10, 100, 1_000), requests)


def _functions(count: int, requests: int) -> Iterator[Series]:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(store_functions(Path(directory), count))
        with DaemonProcess(Path(directory)) as daemon:
            yield from _cost(daemon, "f00007", "functions", count, requests)


def _stored(count: int, requests: int) -> Iterator[Series]:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_store_logs(Path(directory), count))
        with DaemonProcess(Path(directory)) as daemon:
            Deployer(daemon.endpoint_url).deploy("warm", HANDLER, Runtime=runtime())
            yield from _cost(daemon, "warm", "stored log events", count, requests)


def _printed(counts: tuple[int, ...], requests: int) -> Iterator[Series]:
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        deployer = Deployer(daemon.endpoint_url)
        for count in counts:
            source = PRINTER.replace("LINES", str(count))
            deployer.deploy(f"printer-{count}", source, Runtime=runtime())
            number = max(20, requests // max(1, count // 10))
            yield from _cost(daemon, f"printer-{count}", "lines printed", count, number)


def _cost(
    daemon: DaemonProcess, function: str, curve: str, count: int, requests: int
) -> Iterator[Series]:
    path = invoke_path(function)
    drive(daemon.endpoint_url, path, connections=1, requests=50)
    costs, times = [], []
    for _ in range(_ROUNDS):
        before = used_us(daemon.pid)
        times += drive(daemon.endpoint_url, path, connections=1, requests=requests).values
        costs.append((used_us(daemon.pid) - before) / requests)
    name = f"warm, {count:,} {curve}"
    yield Series(row="", name=name, unit="ms", values=times)
    title = f"{name}, server's processor"
    yield Series(row="", name=title, unit="us", values=costs, curve=curve, x=max(count, 1))


async def _store_logs(directory: Path, count: int) -> None:
    """Have a database with so many log events, as of an older function."""
    clock = SystemClock()
    store = engine("sqlite")(directory, clock)
    await store.open()
    try:
        for begin in range(0, count, _BATCH):
            now_ms = int(clock.time() * 1000)
            events = [
                LogEvent(
                    stream=f"stream-{number % _STREAMS}",
                    timestamp_ms=now_ms,
                    message=f"REPORT RequestId: {number:036} Duration: 1.23 ms\n",
                )
                for number in range(begin, min(begin + _BATCH, count))
            ]
            await store.logs.append([(_GROUP, segments_of(events))])
    finally:
        await store.close()
