"""S2, R1: the first invocation of a Python function, over HTTP, with its answer."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import invoke_path, runtime, visit
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

HANDLER = "def handler(event, context):\n    return event\n"


def measure(quick: bool) -> Iterator[Series]:
    """Deploy many functions and call each once, one after the other."""
    times = 10 if quick else 50
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        deployer = Deployer(daemon.endpoint_url)
        names = [f"cold-{number}" for number in range(times)]
        for name in names:
            deployer.deploy(name, HANDLER, Runtime=runtime())
        yield Series(
            row="",
            name="bare interpreter, start to exit (floor)",
            unit="ms",
            values=[_interpreter() for _ in range(times)],
        )
        run = visit(daemon.endpoint_url, [invoke_path(name) for name in names])
        yield Series(row="R1", name="cold invocation, Python", unit="ms", values=run.values)


def _interpreter() -> float:
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - before) * 1000
