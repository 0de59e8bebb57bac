"""S5: the first invocation of a function with numpy, restored and initialised, over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.load import invoke_path, visit
from benchmarks.prewarmed import await_ready
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

# The first that has SnapStart, and whose wheels are to be had without it.
_RUNTIME, _VERSION = "python3.12", "3.12"
_HANDLER = """
import numpy

TABLE = numpy.arange(10_000.0).reshape(100, 100)

def handler(event, context):
    return float(TABLE[event["n"]].sum())
"""
# Gone soon after each answer, so that the next one is cold again.
SOON = {"LAMBDAD_DATAPLANE_IDLE_TIMEOUT_S": "0.05"}
_PATIENCE_S, _PAUSE_S = 30.0, 0.02


def measure(quick: bool) -> Iterator[Series]:
    """Call in turns: a version that is restored, and the same code that is initialised."""
    times = 10 if quick else 200
    with (
        tempfile.TemporaryDirectory() as directory,
        DaemonProcess(Path(directory) / "data", environ=SOON) as daemon,
    ):
        url = daemon.endpoint_url
        deployer = Deployer(url)
        files = _with_numpy(Path(directory) / "packages")
        settings = {"Runtime": _RUNTIME, "MemorySize": 1769}
        deployer.deploy("initialised", files, **settings)
        deployer.deploy("restored", files, SnapStart={"ApplyOn": "PublishedVersions"}, **settings)
        version = deployer.lambda_.publish_version(FunctionName="restored")["Version"]
        waiter = deployer.lambda_.get_waiter("published_version_active")
        waiter.wait(FunctionName="restored", Qualifier=version)
        restored: list[float] = []
        initialised: list[float] = []
        for _ in range(times):
            restored.append(cold(url, f"{invoke_path('restored')}?Qualifier={version}"))
            initialised.append(cold(url, invoke_path("initialised")))
    yield Series(row="", name="cold, numpy, initialised", unit="ms", values=initialised)
    yield Series(row="S5", name="cold, numpy, restored from a snapshot", unit="ms", values=restored)
    shares = [one / other for one, other in zip(restored, initialised, strict=True)]
    yield Series(row="S5", name="  as a share of the initialisation", unit="x", values=shares)


def cold(url: str, path: str, runtime: str = _RUNTIME) -> float:
    """Call once when no environment of a function is left and one waits; return milliseconds."""
    deadline = time.monotonic() + _PATIENCE_S
    while _environments(url) > 0 and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    await_ready(url, runtime)
    return visit(url, [path]).values[0]


def _environments(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_lambdad/health", timeout=10) as answer:  # noqa: S310
        return sum(json.load(answer)["environments"].values())


def _with_numpy(directory: Path) -> Mapping[str, bytes]:
    """Return a function's files, with numpy as the registry has it for this runtime."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(directory)]
    command += ["--python-version", _VERSION, "--only-binary", ":all:", "numpy"]
    subprocess.run(command, check=True)
    files = {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        # What nobody needs who does not build with it, and is too large to upload with the rest.
        if path.is_file() and not {"tests", "bin", "include", "__pycache__"} & set(path.parts)
    }
    return {**files, "app.py": _HANDLER.encode()}
