"""S7, R2: invocations of a warm Python function by 1, 8 and 32 clients.

Beside them, with the same client in the same run, two floors: a server that answers at once, and
one that hands each request to another process and does nothing else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cold_python import HANDLER
from benchmarks.echo import echo_server
from benchmarks.load import Run, drive, invoke_path, runtime
from benchmarks.processor import settle, used_us
from benchmarks.series import Series
from benchmarks.three_hop import three_hop_server
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

CLIENTS = (1, 8, 32)
FLOOR = "three hops (floor)"
WARM = "warm invocation, Python"


def measure(quick: bool) -> Iterator[Series]:
    """Alternate between the floors and the daemon, in rounds, with the same client."""
    requests, rounds = (300, 2) if quick else (3_000, 6)
    with (
        echo_server() as echo_url,
        three_hop_server() as (hop_url, hop_pid),
        tempfile.TemporaryDirectory() as directory,
        DaemonProcess(Path(directory)) as daemon,
    ):
        Deployer(daemon.endpoint_url).deploy("warm", HANDLER, Runtime=runtime())
        targets = {
            "HTTP echo (floor)": (echo_url, 0),
            FLOOR: (hop_url, hop_pid),
            WARM: (daemon.endpoint_url, daemon.pid),
        }
        for clients in CLIENTS:
            yield from _compare(targets, clients, requests, rounds)


def _compare(
    targets: dict[str, tuple[str, int]], clients: int, requests: int, rounds: int
) -> Iterator[Series]:
    who = f"{clients} client{'s' if clients > 1 else ''}"
    path = invoke_path("warm")
    runs: dict[str, list[Run]] = {name: [] for name in targets}
    cost: dict[str, list[float]] = {name: [] for name in targets}
    for url, pid in targets.values():
        # More clients have more environments made, and others made ready in their place.
        drive(url, path, connections=clients, requests=100 * clients)
        if pid:
            settle(pid)
    for _ in range(rounds):
        for name, (url, pid) in targets.items():
            before = used_us(pid) if pid else 0.0
            runs[name].append(drive(url, path, connections=clients, requests=requests))
            if pid:
                cost[name].append((used_us(pid) - before) / requests)
    for name, found in runs.items():
        row = ("R2" if clients == 1 else "S7") if name == WARM else ""
        values = [value for run in found for value in run.values]
        yield Series(row=row, name=f"{name}, {who}", unit="ms", values=values)
        rates = [run.rate for run in found]
        yield Series(row=row, name=f"{name}, {who}", unit="1/s", values=rates)
        if cost[name]:
            title = f"{name}, {who}, server's processor"
            yield Series(row=row, name=title, unit="us", values=cost[name])
    share = [warm.rate / floor.rate for warm, floor in zip(runs[WARM], runs[FLOOR], strict=True)]
    yield Series(row="S7", name=f"warm : three hops, {who}", unit="x", values=share)
