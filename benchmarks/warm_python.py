"""S7, R2: invocations of a warm Python function by 1, 8 and 32 clients."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cold_python import HANDLER
from benchmarks.echo import echo_server
from benchmarks.load import drive, invoke_path, runtime
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

CLIENTS = (1, 8, 32)


def measure(quick: bool) -> Iterator[Series]:
    """Alternate between an echo server and the daemon, with the same client."""
    requests = 300 if quick else 3_000
    path = invoke_path("warm")
    with (
        echo_server() as echo_url,
        tempfile.TemporaryDirectory() as directory,
        DaemonProcess(Path(directory)) as daemon,
    ):
        Deployer(daemon.endpoint_url).deploy("warm", HANDLER, Runtime=runtime())
        for clients in CLIENTS:
            who = f"{clients} client{'s' if clients > 1 else ''}"
            for url, name, row in (
                (echo_url, "HTTP echo (floor)", ""),
                (daemon.endpoint_url, "warm invocation, Python", "R2" if clients == 1 else "S7"),
            ):
                drive(url, path, connections=clients, requests=4 * clients)
                run = drive(url, path, connections=clients, requests=requests)
                yield Series(row=row, name=f"{name}, {who}", unit="ms", values=run.values)
                yield Series(row=row, name=f"{name}, {who}", unit="1/s", values=[run.rate])
