"""Two revisions on the same machine, in turns: which figures differ, and by how much."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

_HERE = Path(__file__).resolve().parent.parent
# Changes below this share are noise on a machine that also does other things.
_NOISE = 0.05

Documents = dict[tuple[str, str], dict[str, Any]]


def compare(revision: str, names: list[str], *, quick: bool, rounds: int = 3) -> None:
    """Measure this tree and another revision in turns and print both medians."""
    with _tree(revision) as other:
        runs: dict[Path, list[Documents]] = {_HERE: [], other: []}
        for _ in range(rounds):
            for tree, results in runs.items():
                results.append(_measure(tree, names, quick=quick))
    print(f"{'':54}{revision[:12]:>12}{'here':>12}{'change':>10}")
    for key in runs[_HERE][0]:
        before, after = (
            [run[key]["p50"] for run in runs[tree] if key in run] for tree in (other, _HERE)
        )
        if before and after:
            print(_line(key, before, after))


def _line(key: tuple[str, str], before: list[float], after: list[float]) -> str:
    name, unit = key
    change = median(after) / median(before) - 1
    # Different only if no run of the one lies among the runs of the other.
    apart = max(after) < min(before) or max(before) < min(after)
    verdict = f"{change:+10.1%}" if apart and abs(change) > _NOISE else f"{'=':>10}"
    return f"{name:54}{median(before):12.2f}{median(after):12.2f}{verdict} {unit}"


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
