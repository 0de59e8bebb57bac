"""`make bench`: measure, print, assert nothing.

    python -m benchmarks [--quick] [--only NAME]... [--json] [--output FILE]
    python -m benchmarks --against REVISION [--only NAME]...
    python -m benchmarks --page

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

from benchmarks import (
    burst,
    cold_python,
    event_queue,
    functions_scale,
    idle_environments,
    idle_memory,
    page,
    peers,
    ready,
    scale,
    sqs,
    warm_node,
    warm_python,
)
from benchmarks.load import runtime
from benchmarks.revisions import compare
from benchmarks.series import HEADING, Series

BENCHMARKS: Mapping[str, Callable[[bool], Iterator[Series]]] = {
    "ready": ready.measure,
    "cold_python": cold_python.measure,
    "warm_python": warm_python.measure,
    "warm_node": warm_node.measure,
    "burst": burst.measure,
    "functions_scale": functions_scale.measure,
    "event_queue": event_queue.measure,
    "idle_memory": idle_memory.measure,
    "sqs": sqs.measure,
    "idle_environments": idle_environments.measure,
    "scale": scale.measure,
    "peers": peers.measure,
}
# These take minutes and do not tell two revisions apart.
_NOT_COMPARED = ("ready", "functions_scale", "idle_environments", "scale", "peers")


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
        for series in BENCHMARKS[name](options.quick):
            documents.append({"benchmark": name, **series.document()})
            print(json.dumps(documents[-1]) if options.json else series.line(), flush=True)
    results = {"conditions": found, "series": documents}
    if options.output:
        options.output.write_text(json.dumps(results, indent=1) + "\n")
    if options.page:
        page.write(results)


if __name__ == "__main__":
    main()
