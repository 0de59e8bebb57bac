"""`make bench`: measure, print, assert nothing.

    python -m benchmarks [--quick] [--json]

The machine decides much: figures are printed with processors, kernel and load, and a reference
request, so that ratios can be compared where milliseconds cannot.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
from collections.abc import Iterator

from benchmarks import daemon
from benchmarks.series import Series


def conditions() -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "runtime": daemon.runtime(),
        "load": os.getloadavg()[0],
        "root": os.geteuid() == 0,
    }


def measure(quick: bool) -> Iterator[Series]:
    """Yield every series."""
    yield daemon.start(3 if quick else 10)
    yield from daemon.invocations(
        cold=10 if quick else 50, warm=200 if quick else 2_000, burst=50 if quick else 200
    )


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one JSON object per series")
    options = parser.parse_args()
    print(json.dumps(conditions()), file=sys.stderr)
    for series in measure(options.quick):
        text = json.dumps(dataclasses.asdict(series)) if options.json else series.line()
        print(text, flush=True)


if __name__ == "__main__":
    main()
