"""What a client sees of a whole daemon: start, cold and warm invocations, scale-out.

Requests are made with `http.client` on kept connections, so that what is measured is the daemon
and not an SDK.
"""

from __future__ import annotations

import http.client
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

HANDLER = "def handler(event, context):\n    return event\n"
SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(0.1)\n    return event\n"
EVENT = b'{"n": 1}'
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


class Caller:
    """One client with one kept connection."""

    def __init__(self, endpoint_url: str) -> None:
        url = urlsplit(endpoint_url)
        self._connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=120)

    def timed(self, method: str, path: str, body: bytes | None = None) -> float:
        """Send a request; return the milliseconds until its answer was read.

        Raises:
            RuntimeError: the answer is not a success.
        """
        headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}
        before = time.perf_counter()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        took_ms = (time.perf_counter() - before) * 1000
        if response.status >= 300 or response.getheader("X-Amz-Function-Error"):
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:500]!r}")
        return took_ms

    def invoke(self, name: str) -> float:
        """Invoke a function; return milliseconds."""
        return self.timed("POST", f"/2015-03-31/functions/{name}/invocations", EVENT)


def runtime() -> str:
    """Return the runtime to measure with: BENCH_RUNTIME, or this Python's."""
    own = f"python3.{sys.version_info.minor}"
    return os.environ.get("BENCH_RUNTIME", own)


def start(times: int) -> Series:
    """From the start of the process to the first request being accepted."""
    values = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as directory:
            daemon = DaemonProcess(Path(directory))
            before = time.perf_counter()
            with daemon:
                values.append((time.perf_counter() - before) * 1000)
    return Series(row="S1", name="start until ready", unit="ms", values=values)


def invocations(cold: int, warm: int, burst: int) -> Iterator[Series]:
    """Cold and warm invocations, one at a time, and a burst from cold."""
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        deployer = Deployer(daemon.endpoint_url)
        caller = Caller(daemon.endpoint_url)
        names = [f"cold-{number}" for number in range(cold)]
        for name in names:
            deployer.deploy(name, HANDLER, Runtime=runtime())
        yield _series("", "GET /_lambdad/health (reference)", lambda: _health(caller), warm)
        remaining = iter(names)
        yield _series("R1", "cold invocation", lambda: caller.invoke(next(remaining)), cold)
        yield _series("R2", "warm invocation", lambda: caller.invoke(names[0]), warm)
        deployer.deploy("sleeper", SLEEPER, Runtime=runtime())
        yield from _burst(daemon.endpoint_url, burst)


def _series(row: str, name: str, once: Callable[[], float], times: int) -> Series:
    return Series(row=row, name=name, unit="ms", values=[once() for _ in range(times)])


def _health(caller: Caller) -> float:
    return caller.timed("GET", "/_lambdad/health")


def _burst(endpoint_url: str, width: int) -> Iterator[Series]:
    gate = Barrier(width + 1)

    def once(_: int) -> float:
        caller = Caller(endpoint_url)
        gate.wait()
        return caller.invoke("sleeper")

    with ThreadPoolExecutor(width) as pool:
        calls = pool.map(once, range(width))
        gate.wait()
        before = time.perf_counter()
        values = list(calls)
        took_s = time.perf_counter() - before
    yield Series(row="R3", name=f"{width} at once, 100 ms each, cold", unit="ms", values=values)
    yield Series(row="S6", name="environments a second", unit="1/s", values=[width / took_s])
