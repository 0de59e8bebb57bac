"""S2, S6, R1: the first invocation of a Python function, over HTTP, with its answer."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.load import invoke_path, runtime, visit, visit_at_once
from benchmarks.prewarmed import await_ready
from benchmarks.processor import settle
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

HANDLER = "def handler(event, context):\n    return event\n"
_AT_ONCE = 50
_REST_S = 0.15
_NONE = {"LAMBDAD_PREWARM_MOST": "0"}


def measure(quick: bool) -> Iterator[Series]:
    """Call functions once: from environments that wait and from none, one by one and at once."""
    times = 10 if quick else 200
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        names = deploy(daemon.endpoint_url, "slot", times)
        yield from _beside_bare("S2", "an environment waits", daemon, names, await_slot)
    with (
        tempfile.TemporaryDirectory() as directory,
        DaemonProcess(Path(directory), environ=_NONE) as daemon,
    ):
        names = deploy(daemon.endpoint_url, "none", times)
        _bring_up_interpreter(daemon.endpoint_url)
        # What deploying has set off: byte code of so many functions.
        settle(daemon.pid, within_s=120)
        yield from _beside_bare("R1", "none waits", daemon, names, rest)
        names = deploy(daemon.endpoint_url, "row", times)
        settle(daemon.pid, within_s=120)
        values = visit(daemon.endpoint_url, [invoke_path(name) for name in names]).values
        title = "cold, Python, none waits, one right behind the other"
        yield Series(row="", name=title, unit="ms", values=values)
        waves = [_wave(daemon.endpoint_url, number) for number in range(1 if quick else 5)]
        name = f"{_AT_ONCE} cold at once, until all are answered"
        yield Series(row="S6", name=name, unit="ms", values=waves)


def _beside_bare(
    row: str, how: str, daemon: DaemonProcess, names: list[str], pause: Callable[[str], None]
) -> Iterator[Series]:
    """Call each function once, and start a bare interpreter before, both after the same pause."""
    values, floors = [], []
    for name in names:
        pause(daemon.endpoint_url)
        floors.append(_interpreter())
        pause(daemon.endpoint_url)
        values += visit(daemon.endpoint_url, [invoke_path(name)]).values
    title = "bare interpreter, start to exit (floor)"
    yield Series(row="", name=f"{title}, {how}", unit="ms", values=floors)
    yield Series(row=row, name=f"cold, Python, {how}", unit="ms", values=values)
    share = statistics.median(values) / statistics.median(floors)
    yield Series(row=row, name=f"  {how} : bare interpreter", unit="x", values=[share])


def await_slot(url: str) -> None:
    """Wait until an environment waits for a function."""
    await_ready(url, runtime())


def rest(url: str) -> None:
    """Let the daemon make anew what it makes ahead."""
    time.sleep(_REST_S)


def deploy(url: str, prefix: str, number: int, **configuration: object) -> list[str]:
    """Deploy functions that only answer; return their names."""
    deployer = Deployer(url)
    names = [f"{prefix}-{index}" for index in range(number)]
    for name in names:
        deployer.deploy(name, HANDLER, **{"Runtime": runtime(), **configuration})
    return names


def one_by_one(url: str, names: list[str], identifier: str) -> list[float]:
    """Call each function once, when an environment waits for it; return milliseconds."""
    values = []
    for name in names:
        await_ready(url, identifier)
        values += visit(url, [invoke_path(name)]).values
    return values


def _wave(url: str, number: int) -> float:
    names = deploy(url, f"wave-{number}", _AT_ONCE)
    return visit_at_once(url, [invoke_path(name) for name in names]).took_s * 1000


def _bring_up_interpreter(url: str) -> None:
    """Let the interpreter that all environments are forked from come up."""
    for name in deploy(url, "first", 3):
        visit(url, [invoke_path(name)])
        time.sleep(1)


def _interpreter() -> float:
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - before) * 1000
