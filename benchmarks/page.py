"""`make performance`: docs/performance.md and its plots, from the results of one run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import languages
from benchmarks.plots import line_plot

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_IMAGES = _DOCS / "images"
_CLIENTS = re.compile(r"(?P<who>.+), (?P<clients>\d+) clients?")
_TITLES = {
    "ready": "Start of the daemon",
    "cold_python": "Cold starts, Python",
    "warm_python": "Warm invocations, Python, beside floors of the same run",
    "warm_node": "Node.js",
    "snapstart": "SnapStart: restored against initialised",
    "snapstart_java": "SnapStart, Java",
    "cold_java": "Java",
    "runtimes": "Every language of this host",
    "burst": "Many at once, from cold",
    "http_api": "HTTP and REST APIs",
    "event_queue": "Asynchronous events",
    "events": "EventBridge",
    "functions_scale": "Ten functions against ten thousand",
    "idle_memory": "Memory of idle environments",
    "idle_environments": "A thousand idle environments",
    "scale": "What an invocation costs the server against what there is",
    "peers": "Beside others",
    "s3": "S3",
    "sqs": "SQS",
    "sqs_mapping": "From a queue through a function",
    "kinesis": "Kinesis",
    "streams": "From streams through a function",
    "dynamodb": "DynamoDB",
    "stacks": "A stack of 150 resources",
}
_INTRODUCTION = """\
# Performance

<!-- Made by `make performance`; do not edit. -->

On one machine: {processors} processors, Linux {kernel}, Python {python}; each section is one run.
Milliseconds depend on the machine, ratios less so; that is why floors and others are measured
in the same run by the same client, a process of its own that costs a tenth of what it measures.
`make performance` repeats all of it. `make bench BASE=<revision>` compares a revision with yours in
turns and prints what differs by more than chance: an exact rank-sum test of the medians of five
rounds.

*three hops (floor)*: an HTTP request, a frame over a socket to another process and back, an answer:
no routing, no identity, no deadline, no freezing, no log.

An environment is frozen when it has answered. One whose events follow each other within 2 ms stays
awake for 2 ms more, because freezing and thawing cost more than such an invocation; what it does in
that time is not billed.
"""


def write(results: Mapping[str, Any]) -> None:
    """Write the page, the plots and the results they were made from.

    Benchmarks that did not run keep their figures, each section with its own date and load.
    """
    _IMAGES.mkdir(exist_ok=True)
    series = _merged(results)
    plots = dict(_plots(series))
    for name, (_, svg) in plots.items():
        (_IMAGES / f"{name}.svg").write_text(svg)
    conditions = results["conditions"]
    parts = [_INTRODUCTION.format(**conditions)]
    for benchmark in dict.fromkeys(each["benchmark"] for each in series):
        parts.append(f"\n## {_TITLES.get(benchmark, benchmark)}\n\n")
        first = next(each for each in series if each["benchmark"] == benchmark)
        parts.append(f"{first['when']}, load {first['load']:.1f} before it began.\n\n")
        parts += [
            f"![{title}](images/{name}.svg)\n\n"
            for name, (title, _) in plots.items()
            if name.startswith(f"performance-{benchmark}")
        ]
        own = [each for each in series if each["benchmark"] == benchmark]
        if benchmark == "runtimes":
            parts += [languages.SOURCE, languages.table(own)]
            continue
        parts.append("| | p50 | p95 | p99 | unit | n |\n|---|---|---|---|---|---|\n")
        parts += [_row(each) for each in own]
    (_DOCS / "performance.md").write_text("".join(parts))
    kept = [{key: value for key, value in each.items() if key != "values"} for each in series]
    document = {"conditions": conditions, "series": kept}
    (_IMAGES / "performance.json").write_text(json.dumps(document, indent=1) + "\n")


def _merged(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return this run's series and those of benchmarks that only earlier runs had, in order."""
    now = {"when": f"{datetime.now(UTC):%d %B %Y}", "load": results["conditions"]["load"]}
    found = [{**each, **now} for each in results["series"]]
    ran = {each["benchmark"] for each in found}
    path = _IMAGES / "performance.json"
    if path.exists():
        earlier = json.loads(path.read_text())
        then = {"when": now["when"], "load": earlier["conditions"]["load"]}
        found += [{**then, **each} for each in earlier["series"] if each["benchmark"] not in ran]
    order = list(_TITLES)
    return sorted(found, key=lambda each: order.index(each["benchmark"]))


def _row(each: Mapping[str, Any]) -> str:
    figures = [each["p50"], each["p95"], each["p99"]] if each["n"] > 1 else [each["p50"], "", ""]
    shown = " | ".join(_figure(figure) for figure in figures)
    return f"| {each['name']} | {shown} | {each['unit']} | {each['n']:,} |\n"


def _figure(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _plots(series: list[dict[str, Any]]) -> Iterator[tuple[str, tuple[str, str]]]:
    for benchmark in ("warm_python", "peers"):
        lines: dict[str, list[tuple[float, float]]] = {}
        for each in series:
            found = _CLIENTS.fullmatch(each["name"])
            if found and each["benchmark"] == benchmark and each["unit"] == "1/s":
                lines.setdefault(found["who"], []).append((float(found["clients"]), each["p50"]))
        if lines:
            title = "Warm invocations a second"
            svg = line_plot(title, "clients at once", "invocations / s", lines, powers=True)
            yield f"performance-{benchmark}", (title, svg)
    curves: dict[str, list[tuple[float, float]]] = {}
    for each in series:
        if each["curve"]:
            curves.setdefault(each["curve"], []).append((each["x"], each["p50"]))
    if curves:
        title = "Server's processor time per warm invocation"
        svg = line_plot(title, "how many there are", "µs", curves, powers=True)
        yield "performance-scale", (title, svg)
