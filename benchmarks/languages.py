"""The table of languages in `docs/performance.md`: cold and warm, AWS's init phase beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SOURCE = """\
*AWS* is AWS's own init phase, the average of ten cold starts of a zip package on x86-64 with
1,024 MB, as [maxday/lambda-perf](https://github.com/maxday/lambda-perf) measured them on
22 August 2026 (`data/2026-08-22.json`). It leaves out AWS's placement, the client's request and
the way there, all of which the figures here include: they are of whole requests, over HTTP, of
the conformance suite's function with 1,024 MB. *AWS ÷ cold* says how many of ours fit into one of
AWS's; machines differ.

"""
# Language: the identifier that was measured at AWS, and milliseconds.
AWS: Mapping[str, tuple[str, float]] = {
    "Python": ("python3.13", 84.0),
    "Node.js": ("nodejs22.x", 140.0),
    "Java": ("java25", 187.0),
    "Ruby": ("ruby3.4", 224.0),
    ".NET": ("dotnet8", 238.0),
    "Go": ("provided.al2023", 50.0),
    "Rust": ("provided.al2023", 15.2),
}
_HEAD = (
    "| Language | Here | Cold p50 | p95 | AWS | measured there | AWS ÷ cold | Warm p50 | p99 |\n"
    "|---|---|--:|--:|--:|---|--:|--:|--:|\n"
)


def table(series: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the series `cold, <language>, <identifier>` and `warm, …`, in ms."""
    return _HEAD + "".join(_rows(series))


def _rows(series: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    named = {each["name"]: each for each in series}
    for name, cold in named.items():
        kind, language, identifier = name.split(", ", 2)
        if kind != "cold":
            continue
        there, aws_ms = AWS.get(language, ("", 0.0))
        ratio = f"{aws_ms / cold['p50']:.1f}" if aws_ms else ""
        warm = named.get(f"warm, {language}, {identifier}")
        figures = [
            f"{cold['p50']:.3g}",
            f"{cold['p95']:.3g}",
            f"{aws_ms:.3g}" if aws_ms else "",
            there,
            ratio,
            *((f"{warm['p50']:.3g}", f"{warm['p99']:.3g}") if warm else ("", "")),
        ]
        yield f"| {language} | {identifier} | {' | '.join(figures)} |\n"
