"""`make bench`: measure, print, assert nothing.

    python -m benchmarks [--quick] [--only NAME]... [--json] [--output FILE] [--against REVISION]

The machine decides much: figures are printed with processors, kernel and load, and with floors
measured in the same run, so that ratios can be compared where milliseconds cannot.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import burst, cold_python, functions_scale, idle_memory, ready, sqs, warm_python
from benchmarks.load import runtime
from benchmarks.revisions import compare
from benchmarks.series import HEADING, Series

BENCHMARKS: Mapping[str, Callable[[bool], Iterator[Series]]] = {
    "ready": ready.measure,
    "cold_python": cold_python.measure,
    "warm_python": warm_python.measure,
    "burst": burst.measure,
    "functions_scale": functions_scale.measure,
    "idle_memory": idle_memory.measure,
    "sqs": sqs.measure,
}


def conditions() -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "runtime": runtime(),
        "load": os.getloadavg()[0],
        "root": os.geteuid() == 0,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="print one JSON object per series")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, metavar="NAME")
    parser.add_argument("--output", type=Path, help="also write everything to this JSON file")
    parser.add_argument("--against", metavar="REVISION", help="compare with a git revision")
    return parser.parse_args()


def main() -> None:
    """Run the benchmarks."""
    options = _options()
    names = options.only or list(BENCHMARKS)
    if options.against:
        compare(options.against, names, quick=options.quick)
        return
    document = {"conditions": conditions(), "series": []}
    print(json.dumps(document["conditions"]), file=sys.stderr)
    if not options.json:
        print(HEADING)
    found = []
    for name in names:
        for series in BENCHMARKS[name](options.quick):
            found.append(series.document())
            print(json.dumps(found[-1]) if options.json else series.line(), flush=True)
    if options.output:
        options.output.write_text(json.dumps({**document, "series": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
