"""S8: what an idle Python environment takes, as its memory cgroup counts it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks.burst import SLEEPER
from benchmarks.load import drive, invoke_path, runtime
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_CGROUPS = Path("/sys/fs/cgroup")
_CHARGES = {"memory.usage_in_bytes", "memory.current"}
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
        weights = {path: size for path, size in charges().items() if path not in others}
        parts = [part for path in weights for part in _parts(path.parent)]
    if weights:
        yield Series(
            row="S8",
            name="idle environment, Python, cgroup charge",
            unit="MiB",
            values=[size / _MIB for size in weights.values()],
        )
    for name in sorted({name for name, _ in parts}):
        yield Series(
            row="",
            name=f"of an idle environment: {name}",
            unit="MiB",
            values=[size / _MIB for part, size in parts if part == name],
        )


def charges() -> dict[Path, int]:
    """Bytes charged to each environment of every daemon on this host.

    Groups that were made ahead, and have no process yet, are no environments.
    """
    found = {}
    # Others come and go meanwhile: a walk passes over what has gone.
    for group, _, files in os.walk(_CGROUPS):
        place = Path(group)
        for name in _CHARGES & set(files) if place.parent.parent.name == "lambdad" else ():
            with suppress(OSError):
                if (place / "cgroup.procs").read_text():
                    found[place / name] = int((place / name).read_text())
    return found


def _parts(group: Path) -> Iterator[tuple[str, int]]:
    """Yield what a group's charge is made of, and what its processes share with others."""
    kernel = group / "memory.kmem.usage_in_bytes"
    if kernel.exists():
        yield "kernel memory", int(kernel.read_text())
    for pid in (group / "cgroup.procs").read_text().split():
        process = Path("/proc", pid)
        fields = _fields((process / "status").read_text())
        name = "PID 1" if fields["NSpid"].split()[-1] == "1" else "runtime process"
        rollup = _fields((process / "smaps_rollup").read_text().partition("\n")[2])
        yield f"{name}, pages of its own", _bytes(rollup["Private_Dirty"])
        yield f"{name}, page tables", _bytes(fields["VmPTE"])


def _fields(text: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _bytes(field: str) -> int:
    """Return what `/proc` says in kB."""
    return int(field.split(maxsplit=1)[0]) * 1024
