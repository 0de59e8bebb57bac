"""Others that serve the Lambda API on a developer's machine, side by side in the same run.

Those that install from a registry and need no Docker: ministack (PyPI) and serverless-offline
(npm), each into a directory that is thrown away. The same function, the same client.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cold_python import HANDLER
from benchmarks.load import drive, invoke_path, runtime, visit
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

CLIENTS = (1, 8, 32)
COLD = 8
_START_S = 120.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server and the paths of its functions: one to keep warm, the others cold."""

    name: str
    url: str
    warm: str
    cold: list[str]


def measure(quick: bool) -> Iterator[Series]:
    """Start each, measure, stop it, before the next is started."""
    for start in (_lambdad, _ministack, _serverless_offline):
        try:
            with start() as peer:
                yield from _of(peer, quick)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"{start.__name__.strip('_')} is left out: {error}", file=sys.stderr)


def _of(peer: Peer, quick: bool) -> Iterator[Series]:
    cold = [value for path in peer.cold for value in visit(peer.url, [path]).values]
    yield Series(row="", name=f"{peer.name}, cold", unit="ms", values=cold)
    for clients in CLIENTS:
        drive(peer.url, peer.warm, connections=clients, requests=clients)
        # As many as are answered in a few seconds: some take long. Twice, since those whose code
        # is compiled while it runs are faster then.
        seconds = 1.0 if quick else 4.0
        requests = 2 * clients
        for _ in range(2):
            once = drive(peer.url, peer.warm, connections=clients, requests=requests)
            requests = max(3 * clients, min(20_000, int(once.rate * seconds)))
        run = drive(peer.url, peer.warm, connections=clients, requests=requests)
        who = f"{peer.name}, warm, {clients} client{'s' if clients > 1 else ''}"
        yield Series(row="", name=who, unit="ms", values=run.values)
        yield Series(row="", name=who, unit="1/s", values=[run.rate])


@contextlib.contextmanager
def _lambdad() -> Iterator[Peer]:
    # AWS's limit of a function, 10,000 requests a second, would be reached.
    unlimited = {"LAMBDAD_DATAPLANE_REQUEST_RATE": "0"}
    with (
        tempfile.TemporaryDirectory() as directory,
        DaemonProcess(Path(directory), environ=unlimited) as daemon,
    ):
        yield _deployed("lambdad", daemon.endpoint_url)


def _deployed(name: str, url: str) -> Peer:
    deployer = Deployer(url)
    names = ["warm", *(f"cold-{number}" for number in range(COLD))]
    for each in names:
        deployer.deploy(each, HANDLER, Runtime=runtime())
    warm, *cold = map(invoke_path, names)
    return Peer(name, url, warm, cold)


@contextlib.contextmanager
def _ministack() -> Iterator[Peer]:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        _run(sys.executable, "-m", "venv", str(place / "venv"))
        _run(str(place / "venv/bin/pip"), "install", "--quiet", "ministack")
        port = _free_port()
        variables = {"GATEWAY_PORT": str(port), "LAMBDA_EXECUTOR": "local"}
        with _started([str(place / "venv/bin/ministack")], place, variables, port) as url:
            yield _deployed("ministack", url)


@contextlib.contextmanager
def _serverless_offline() -> Iterator[Peer]:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is not installed")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "package.json").write_text("{}")
        packages = ("serverless@3", "serverless-offline@13")
        _run(npm, "install", "--no-audit", "--no-fund", "--silent", *packages, cwd=place)
        (place / "app.py").write_text(HANDLER)
        port = _free_port()
        names = ["warm", *(f"cold{number}" for number in range(COLD))]
        configuration = {
            "service": "peer",
            "frameworkVersion": "3",
            "provider": {"name": "aws", "runtime": runtime(), "stage": "dev"},
            "plugins": ["serverless-offline"],
            "functions": {name: {"handler": "app.handler"} for name in names},
        }
        (place / "serverless.yml").write_text(json.dumps(configuration))
        command = ["node_modules/.bin/serverless", "offline", "start"]
        options = ["--lambdaPort", str(port), "--httpPort", str(_free_port())]
        with _started([*command, *options], place, {"SLS_TELEMETRY_DISABLED": "1"}, port) as url:
            warm, *cold = (invoke_path(f"peer-dev-{name}") for name in names)
            yield Peer("serverless-offline", url, warm, cold)


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, timeout=600, stdout=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def _started(
    command: list[str], place: Path, variables: dict[str, str], port: int
) -> Iterator[str]:
    """Run a server and what it starts, from when it listens until the end of the block."""
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen(
            command,
            cwd=place,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        stack.callback(_stop, process)
        _await(lambda: _listens(port), process)
        yield f"http://127.0.0.1:{port}"


def _await(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not start")
        time.sleep(0.1)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    # Its own session: what it has started ends with it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
