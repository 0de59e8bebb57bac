"""S1: from the start of `lambdad serve` to the first request being accepted."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess


def measure(quick: bool) -> Iterator[Series]:
    """Start a daemon on an empty directory, and beside it an interpreter that does nothing."""
    ready, floor = [], []
    for _ in range(3 if quick else 10):
        before = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        floor.append((time.perf_counter() - before) * 1000)
        with tempfile.TemporaryDirectory() as directory:
            daemon = DaemonProcess(Path(directory))
            before = time.perf_counter()
            with daemon:
                ready.append((time.perf_counter() - before) * 1000)
    yield Series(row="", name="bare interpreter, start to exit (floor)", unit="ms", values=floor)
    yield Series(row="S1", name="start until ready", unit="ms", values=ready)
