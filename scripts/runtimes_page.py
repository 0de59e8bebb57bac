"""Make `docs/runtimes.md` of what the conformance suite of the runtimes found.

Usage: runtimes_page.py RESULTS.xml, as `pytest --junitxml` writes it. `make test-runtimes` does both.
The text before the table stands here; the table is what was seen, and nothing else.
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
MARKS = {"passed": "yes", "failed": "**no**", "skipped": "–"}

HEAD = """\
# Runtimes

`lambdad runtimes` lists what a daemon serves. A runtime is found in the usual places of packages and version
managers (pyenv, uv, nvm, n, Volta, rbenv, RVM, SDKMAN, asdf, mise, `JAVA_HOME`, `DOTNET_ROOT`, `/usr/lib/jvm`), or where
`runtimes.search` says.

| Family | Identifiers | Served by |
|---|---|---|
| Python | `python3.8` – `python3.14` | the interpreter of that version, our client, lambdad's own boto3 |
| Node.js | `nodejs16.x` – `nodejs24.x` | the node of that version, our client, `@aws-sdk` where the host has it |
| Java | `java8` – `java25` with their `.al2` and `.al2023` | a JDK or JRE of that version, AWS's client (`lambdad runtimes install java`) |
| .NET | `dotnetcore3.1`, `dotnet6`, `dotnet8`, `dotnet10` | the shared runtime of that version, our client, compiled once by the SDK or Mono |
| Ruby | `ruby2.5` – `ruby4.0` | the ruby of that version, our client |
| Go of old | `go1.x` | the function's program, a bridge in any Python |
| Go, Rust, C, shell, ... | `provided.al2`, `provided.al2023` | the function's `bootstrap` |

A version that the host lacks is refused when a function is created, with what to install. With `serve --runtime-fallback`
the nearest version stands in: the next newer one, else the newest older one; for Ruby of the same major version, for .NET
a newer one only. The log, `lambdad doctor` and `lambdad runtimes` say so. Identifiers that AWS has retired are served where
the host has the language.

## What is tested

One list of promises is asked of a small handler in each language, in real sandboxes, by `make test-runtimes`, which makes
this table. `–` says that AWS has no such thing there, or that the handler cannot show it.
"""


def promises() -> dict[str, str]:
    """Names of the suite's tests and what they say, in their order."""
    tree = ast.parse(SUITE.read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {
        node.name.removeprefix("test_"): ast.get_docstring(node) or ""
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
        found.setdefault(match[2], {})[match[1]] = outcome
    return {name: row for name, row in found.items() if "passed" in row.values()}


def page(rows: dict[str, dict[str, str]]) -> str:
    """The whole page."""
    said = promises()
    lines = [HEAD, *(f"- **{name.replace('_', ' ')}**: {text}" for name, text in said.items()), ""]
    lines.append("| | " + " | ".join(name.replace("_", " ") for name in said) + " |")
    lines.append("|---|" + ":-:|" * len(said))
    for language, row in sorted(rows.items()):
        cells = [MARKS.get(row.get(name, "skipped"), "") for name in said]
        lines.append(f"| {language} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(results(Path(sys.argv[1]))))
    print(f"wrote {PAGE.relative_to(ROOT)}")
