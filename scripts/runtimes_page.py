"""Put what the conformance suite of the runtimes found into `docs/runtimes.md`.

Usage: `runtimes_page.py RESULTS.xml`, a file that `pytest --junitxml` wrote. `make test-runtimes`
does both. What stands below the page's marker is made here; the rest is written by hand.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "runtimes.md"
SUITE = ROOT / "tests" / "conformance" / "runtimes" / "test_promises.py"
MARKER = "<!-- What follows is made by `make test-runtimes`. -->\n"
MARKS = {"passed": "yes", "failed": "**no**", "skipped": ""}


def promises() -> dict[str, str]:
    """Names of the suite's tests and what they say, in their order."""
    tree = ast.parse(SUITE.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {
        node.name.removeprefix("test_").replace("_", " "): ast.get_docstring(node) or ""
        for node in functions
        if node.name.startswith("test_")
    }


def results(file: Path) -> dict[str, dict[str, str]]:
    """What became of each promise, by language and runtime."""
    found: dict[str, dict[str, str]] = {}
    for case in ET.parse(file).iter("testcase"):  # noqa: S314 - our own file
        match = re.fullmatch(r"test_(\w+)\[(.+)\]", case.get("name", ""))
        if match is None or "test_promises" not in case.get("classname", ""):
            continue
        outcome = "passed"
        if case.find("skipped") is not None:
            outcome = "skipped"
        elif case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed"
        found.setdefault(match[2], {})[match[1].replace("_", " ")] = outcome
    return {name: row for name, row in found.items() if set(row.values()) != {"skipped"}}


def table(rows: dict[str, dict[str, str]]) -> str:
    """The promises and what became of them."""
    said = promises()
    lines = [f"- **{name}**: {text}" for name, text in said.items()]
    lines += ["", "| | " + " | ".join(said) + " |", "|---|" + ":-:|" * len(said)]
    for language, row in sorted(rows.items()):
        cells = [MARKS[row.get(name, "skipped")] for name in said]
        lines.append(f"| {language} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    head, marker, _ = PAGE.read_text(encoding="utf-8").partition(MARKER)
    PAGE.write_text(f"{head}{marker}\n{table(results(Path(sys.argv[1])))}", encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
