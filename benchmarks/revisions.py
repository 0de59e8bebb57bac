"""Two revisions on the same machine, in turns: which figures differ, and by how much.

The other revision is measured from a worktree in a temporary directory, with the benchmarks of
this one. Each round measures both, in an order that changes from round to round, and keeps a
median of every series. Two series differ if an exact rank-sum test (Mann and Whitney) of these
medians says that chance gives such an order in less than one of twenty comparisons, and the change
is larger than what a machine does by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

_HERE = Path(__file__).resolve().parent.parent
# Five rounds: the fewest for which the test can tell anything (0.8 % at best; four give 2.9 %).
ROUNDS = 5
_CHANCE = 0.05
# Changes below this share are noise on a machine that also does other things.
_NOISE = 0.03

Documents = dict[tuple[str, str], dict[str, Any]]


def compare(revision: str, names: list[str], *, quick: bool, rounds: int = ROUNDS) -> None:
    """Measure this tree and another revision in turns and print what differs."""
    with _tree(revision) as other:
        runs: dict[Path, list[Documents]] = {_HERE: [], other: []}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            trees = [_HERE, other] if number % 2 else [other, _HERE]
            for tree in trees:
                runs[tree].append(_measure(tree, names, quick=quick))
    _report(revision, runs[other], runs[_HERE])


def _report(revision: str, before: list[Documents], after: list[Documents]) -> None:
    print(f"{'':64}{revision[:12]:>12}{'here':>12}{'change':>10}{'chance':>9}")
    alike = 0
    for key in after[0]:
        medians = [[run[key]["p50"] for run in runs if key in run] for runs in (before, after)]
        if not all(medians):
            continue
        line = _line(key, *medians)
        alike += line is None
        if line is not None:
            print(line)
    print(f"{alike} series do not differ.")


def _line(key: tuple[str, str], before: list[float], after: list[float]) -> str | None:
    name, unit = key
    change = median(after) / median(before) - 1
    chance = rank_sum_chance(before, after)
    if chance >= _CHANCE or abs(change) <= _NOISE:
        return None
    figures = f"{median(before):12.2f}{median(after):12.2f}{change:+10.1%}{chance:9.3f}"
    return f"{name:64}{figures} {unit}"


def rank_sum_chance(first: Sequence[float], second: Sequence[float]) -> float:
    """Return how likely chance orders two samples at least so unevenly; exact, two-sided.

    Counts all ways to draw the first sample from both; for up to a dozen values each.
    """
    everything = [*first, *second]
    ranks = [
        sum(other < value for other in everything) + (everything.count(value) + 1) / 2
        for value in everything
    ]
    size = len(first)
    middle = size * (len(everything) + 1) / 2
    distance = abs(sum(ranks[:size]) - middle)
    ways = [abs(sum(drawn) - middle) for drawn in combinations(ranks, size)]
    return sum(way >= distance - 1e-9 for way in ways) / len(ways)


def _measure(tree: Path, names: list[str], *, quick: bool) -> Documents:
    """Run these benchmarks on the sources of a tree."""
    command = [sys.executable, "-m", "benchmarks", "--json", *(["--quick"] if quick else [])]
    for name in names:
        command += ["--only", name]
    environ = {**os.environ, "PYTHONPATH": str(tree / "src")}
    output = subprocess.run(command, cwd=_HERE, env=environ, stdout=subprocess.PIPE, check=True)
    documents = [json.loads(line) for line in output.stdout.splitlines()]
    return {(document["name"], document["unit"]): document for document in documents}


@contextlib.contextmanager
def _tree(revision: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        git = ["git", "-C", str(_HERE), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), revision], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
