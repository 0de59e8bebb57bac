"""`make bench`: measure, print, assert nothing.

    python -m benchmarks [--quick] [--only NAME]... [--json] [--output FILE]
    python -m benchmarks --against REVISION [--only NAME]...
    python -m benchmarks --page

The machine decides much: figures are printed with processors, kernel and load, and with floors
measured in the same run, so that ratios can be compared where milliseconds cannot.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import page
from benchmarks.load import runtime
from benchmarks.revisions import compare
from benchmarks.series import HEADING, Series

# Modules of this package. Each is imported when it is its turn: a revision to compare with may lack
# what another one needs.
BENCHMARKS = (
    "ready",
    "cold_python",
    "snapstart",
    "snapstart_java",
    "warm_python",
    "warm_node",
    "cold_java",
    "runtimes",
    "burst",
    "http_api",
    "functions_scale",
    "event_queue",
    "events",
    "idle_memory",
    "s3",
    "sqs",
    "sqs_mapping",
    "kinesis",
    "streams",
    "dynamodb",
    "stacks",
    "idle_environments",
    "scale",
    "peers",
)
# These take minutes and do not tell two revisions apart.
_NOT_COMPARED = ("ready", "runtimes", "functions_scale", "idle_environments", "scale", "peers")


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
    parser.add_argument("--page", action="store_true", help="write docs/performance.md too")
    parser.add_argument("--against", metavar="REVISION", help="compare with a git revision")
    return parser.parse_args()


def _measure(name: str, quick: bool) -> Iterator[Series]:
    found: Iterator[Series] = importlib.import_module(f"benchmarks.{name}").measure(quick)
    return found


def main() -> None:
    """Run the benchmarks."""
    options = _options()
    if options.against:
        names = options.only or [name for name in BENCHMARKS if name not in _NOT_COMPARED]
        compare(options.against, names, quick=options.quick)
        return
    found = conditions()
    print(json.dumps(found), file=sys.stderr)
    if not options.json:
        print(HEADING)
    documents = []
    for name in options.only or list(BENCHMARKS):
        for series in _measure(name, options.quick):
            documents.append({"benchmark": name, **series.document()})
            print(json.dumps(documents[-1]) if options.json else series.line(), flush=True)
    results = {"conditions": found, "series": documents}
    if options.output:
        options.output.write_text(json.dumps(results, indent=1) + "\n")
    if options.page:
        page.write(results)


if __name__ == "__main__":
    main()
