"""S8: what an idle Python environment takes, as its memory cgroup counts it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.burst import SLEEPER
from benchmarks.load import drive, invoke_path, runtime
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_CGROUPS = Path("/sys/fs/cgroup")
_MIB = 1024 * 1024


def measure(quick: bool) -> Iterator[Series]:
    """Make environments by calling at once, and weigh them when all are idle.

    Yields nothing where environments have no memory cgroup.
    """
    width = 20 if quick else 100
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        Deployer(daemon.endpoint_url).deploy("sleeper", SLEEPER, Runtime=runtime())
        # The first environment pays for what all of them share.
        drive(daemon.endpoint_url, invoke_path("sleeper"), connections=1, requests=1)
        others = set(charges())
        drive(daemon.endpoint_url, invoke_path("sleeper"), connections=width, requests=width)
        weights = [size for path, size in charges().items() if path not in others]
    if weights:
        yield Series(
            row="S8",
            name="idle environment, Python, cgroup charge",
            unit="MiB",
            values=[size / _MIB for size in weights],
        )


def charges() -> dict[Path, int]:
    """Bytes charged to each environment of every daemon on this host; none to empty groups."""
    found = {}
    for pattern in ("memory/lambdad/*/*/memory.usage_in_bytes", "**/lambdad/*/*/memory.current"):
        for path in _CGROUPS.glob(pattern):
            if (path.parent / "cgroup.procs").read_text():
                found[path] = int(path.read_text())
    return found
