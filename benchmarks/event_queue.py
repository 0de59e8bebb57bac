"""S13, S14: how fast events are taken in and worked off, and what a long queue takes of memory.

Enqueueing is measured over HTTP against a function that is busy; the long queues are written into
the store before the start.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.echo import echo_server
from benchmarks.load import drive, runtime
from benchmarks.series import Series
from lambdad.domain.clock import SystemClock
from lambdad.storage.registry import engine
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.event_ledger import queue_counts
from lambdad.testing.events import an_event

CONNECTIONS = 64
NO_PATIENCE = ("--drain-timeout", "0")
HANDLER = "def handler(event, context):\n    return None\n"
BUSY = "import time\ndef handler(event, context):\n    time.sleep(800)\n"
_EVENT = b'{"detail": "' + b"x" * 200 + b'"}'
_BATCH = 5_000
_MIB = 1024 * 1024


def measure(quick: bool) -> Iterator[Series]:
    """Enqueue, then drain, then a queue that is only long."""
    yield from _enqueue(2_000 if quick else 20_000, rounds=5)
    yield from _drain(5_000 if quick else 100_000)
    yield from _long(50_000 if quick else 1_000_000)


def _path(name: str) -> str:
    """The older operation for events needs no header."""
    return f"/2014-11-13/functions/{name}/invoke-async/"


def _enqueue(requests: int, *, rounds: int) -> Iterator[Series]:
    rates, floors = [], []
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as directory,
        DaemonProcess(Path(directory), *NO_PATIENCE) as daemon,
        echo_server() as echo,
    ):
        _deploy(daemon, "busy", BUSY, concurrency=1)
        for _ in range(rounds):
            for url, found in ((echo, floors), (daemon.endpoint_url, rates)):
                run = drive(
                    url, _path("busy"), connections=CONNECTIONS, requests=requests, body=_EVENT
                )
                found.append(run.rate)
        waiting = queue_counts(daemon.endpoint_url)
        assert waiting["waiting"] + waiting["running"] == rounds * requests
        daemon.stop()
    yield Series(row="S13", name="events accepted durably, 64 clients", unit="1/s", values=rates)
    yield Series(row="", name="HTTP echo, 64 clients", unit="1/s", values=floors)


def _drain(count: int) -> Iterator[Series]:
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with DaemonProcess(directory, *NO_PATIENCE) as daemon:
            _deploy(daemon, "f", HANDLER, concurrency=8)
        asyncio.run(_fill(directory, "f", count))
        with DaemonProcess(directory, *NO_PATIENCE) as daemon:
            before, sizes, half = time.perf_counter(), [_resident(daemon.pid)], 0.0
            while left := _left(daemon):
                sizes.append(_resident(daemon.pid))
                if not half and left <= count // 2:
                    half = sizes[-1]
                time.sleep(0.2)
            rate = count / (time.perf_counter() - before)
            at = {"before it": sizes[0], "at half of it": half, "after it": _resident(daemon.pid)}
    yield Series(row="S14", name=f"{count:,} events worked off", unit="1/s", values=[rate])
    # The first tenth fills caches and makes environments.
    settled = sizes[len(sizes) // 10 :]
    growth = settled[-1] - settled[0]
    yield Series(row="S14", name="growth of the daemon meanwhile", unit="MiB", values=[growth])
    yield Series(row="S14", name="size of the daemon meanwhile", unit="MiB", values=settled)
    for when, size in at.items():
        yield Series(row="S14", name=f"size of the daemon {when}", unit="MiB", values=[size])


def _long(count: int) -> Iterator[Series]:
    """The size of a daemon with a long queue that cannot be worked off, against an empty one."""
    sizes = []
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        for events in (0, count):
            with DaemonProcess(directory, *NO_PATIENCE) as daemon:
                if not events:
                    _deploy(daemon, "busy", BUSY, concurrency=1)
                assert queue_counts(daemon.endpoint_url)["waiting"] >= events - 1
                time.sleep(2)
                sizes.append(_resident(daemon.pid))
                daemon.stop()
            if not events:
                asyncio.run(_fill(directory, "busy", count))
    name = f"daemon with {count:,} queued events"
    yield Series(row="S14", name=name, unit="MiB", values=[sizes[1]])
    yield Series(
        row="S14", name="the same, more than with none", unit="MiB", values=[sizes[1] - sizes[0]]
    )


def _deploy(daemon: DaemonProcess, name: str, source: str, *, concurrency: int) -> None:
    user = Deployer(daemon.endpoint_url)
    user.deploy(name, source, Runtime=runtime(), Timeout=900)
    user.lambda_.put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=concurrency
    )


async def _fill(directory: Path, name: str, count: int) -> None:
    """Write events into the queue of a daemon that does not run."""
    clock = SystemClock()
    store = engine("sqlite")(directory, clock)
    await store.open()
    event = an_event(name, payload=_EVENT, accepted_ms=int(clock.time() * 1_000))
    try:
        for _ in range(0, count, _BATCH):
            await asyncio.gather(*(store.events.enqueue(event) for _ in range(_BATCH)))
    finally:
        await store.close()


def _left(daemon: DaemonProcess) -> int:
    counts = queue_counts(daemon.endpoint_url)
    assert not counts["set_aside"]
    return int(counts["waiting"] + counts["running"])


def _resident(pid: int) -> float:
    """Memory of a process that is its own or shared, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / _MIB
    raise ValueError(f"process {pid} has no memory")
