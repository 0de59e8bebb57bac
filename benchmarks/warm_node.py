"""S3: invocations of a warm Node.js function, and what a bare Node.js takes to start."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cold_python import one_by_one
from benchmarks.load import drive, invoke_path
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

HANDLER = {"app.js": "exports.handler = async (event) => event;\n"}


def measure(quick: bool) -> Iterator[Series]:
    """Yields nothing where there is no Node.js."""
    node = shutil.which("node")
    if node is None:
        return
    times = 5 if quick else 200
    values = [_start(node) for _ in range(times)]
    yield Series(row="", name="bare Node.js, start to exit (floor)", unit="ms", values=values)
    version = subprocess.run([node, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    identifier = f"nodejs{version.stdout[1:].split('.')[0]}.x"
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        deployer = Deployer(daemon.endpoint_url)
        names = [f"cold-{number}" for number in range(times)]
        for name in names:
            deployer.deploy(name, HANDLER, Runtime=identifier)
        values = one_by_one(daemon.endpoint_url, names, identifier)
        yield Series(row="S3", name="cold, Node.js, an environment waits", unit="ms", values=values)
        for clients in (1, 8, 32):
            path = invoke_path(names[0])
            drive(daemon.endpoint_url, path, connections=clients, requests=20 * clients)
            requests = 300 if quick else 3_000
            run = drive(daemon.endpoint_url, path, connections=clients, requests=requests)
            name = f"warm invocation, Node.js, {clients} client{'s' if clients > 1 else ''}"
            yield Series(row="", name=name, unit="ms", values=run.values)
            yield Series(row="", name=name, unit="1/s", values=[run.rate])


def _start(node: str) -> float:
    before = time.perf_counter()
    subprocess.run([node, "-e", "0"], check=True)
    return (time.perf_counter() - before) * 1000
