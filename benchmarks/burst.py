"""S6, R3: many invocations at once of a function that takes 100 ms, from cold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import drive, invoke_path, runtime
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(0.1)\n    return event\n"


def measure(quick: bool) -> Iterator[Series]:
    """Call once over each of many connections, all at the same time."""
    width = 50 if quick else 200
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        Deployer(daemon.endpoint_url).deploy("sleeper", SLEEPER, Runtime=runtime())
        run = drive(daemon.endpoint_url, invoke_path("sleeper"), connections=width, requests=width)
    yield Series(row="R3", name=f"{width} at once, 100 ms, cold", unit="ms", values=run.values)
    yield Series(row="S6", name=f"{width} at once, environments", unit="1/s", values=[run.rate])
