"""Make the pages that come from code: commands, configuration, API coverage, states, index of ADRs.

`make docs` writes them; `tests/unit/project` fails when they are not current.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from botocore import xform_name

from lambdad.api import lambda_, logs, sts
from lambdad.cli.main import main
from lambdad.config.document import configuration_page
from lambdad.dataplane import environment_state
from lambdad.dataplane.extensions_api import extension
from lambdad.dataplane.runtime_api import session
from lambdad.neighbours.cloudformation.types import TYPES
from lambdad.neighbours.cloudformation.types.adopting import IDENTIFIERS
from lambdad.neighbours.cloudformation.types.reading import READERS
from lambdad.neighbours.directory import NEIGHBOURS
from lambdad.testing.failures.page import page as failures_page

ROOT = Path(__file__).resolve().parent.parent
ADR_DIR = ROOT / "docs" / "adr"

CLI_INTRODUCTION = """\
# The `lambdad` command

<!-- Made from the commands by `make docs`; do not edit. -->

`serve` runs the daemon and `doctor` examines the host; every other command is an HTTP client of a
running daemon. Tables are coloured on a terminal and plain in a pipe. Exit status: 0 success,
1 the function (for `doctor`: the host) is not well, 2 wrong usage or no service.
"""

ADR_INTRODUCTION = """\
# Architecture decision records

<!-- Made from the records by `make docs`; do not edit. -->

Each record says what was decided, why, and what follows. A decision that changes gets a row in
the record's revisions, or a new record that supersedes it.

| | decision | status |
|---|---|---|
"""

TYPES_INTRODUCTION = """\
# Types of resources in stacks

<!-- Made from the types by `make docs`; do not edit. -->

What templates can have besides `Custom::*` and `AWS::CloudFormation::CustomResource`. A resource
without changes in place is made anew for every change. See [CloudFormation](cloudformation.md).

| type | changes in place | drift is detected | imported by |
|---|---|---|---|
"""

COVERAGE_INTRODUCTION = """\
# API coverage

<!-- Made from the registered operations by `make docs`; do not edit. -->

Counted against the service models of the botocore that lambdad is built with. An operation that
is not served answers `NotImplementedException` with its name.
"""

STATES = """\
# The states of an environment

<!-- Made from the tables that the code obeys by `make docs`; do not edit. -->

An execution environment is one sandbox with one runtime process, and extensions where layers bring
them. A change that is not in the table is refused as an internal error. What a failure means for
caller, log and environment is in [failures.md](failures.md).

{environment}

| from | to | when |
|---|---|---|
{rows}

## The runtime process

What its calls of the Runtime API make of it; a call that would change it otherwise is answered 403
`InvalidStateTransition`. The names are those in AWS's error texts.

{runtime}

## An extension

As its calls of the Extensions API, and its start, make of it; other calls are answered 403.

{extension}
"""

_TITLE = re.compile(r"^# (\d{4}) (.+)$", re.MULTILINE)
_STATUS = re.compile(r"^Status: (.+)$", re.MULTILINE)


def cli_page() -> str:
    """Return docs/cli.md."""
    parts = [CLI_INTRODUCTION]
    parts += [_section(command, path) for path, command in _commands(main, "lambdad")]
    return "\n".join(parts)


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _commands(found, f"{path} {name}")


def _section(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, terminal_width=96, max_content_width=96)
    context.help_option_names = ["-h", "--help"]
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"## `{path}`\n\n```text\n{text}\n```\n"


def adr_index() -> str:
    """Return docs/adr/README.md.

    Raises:
        ValueError: a record lacks its title or status line, or two share a number.
    """
    rows: dict[str, str] = {}
    for path in sorted(ADR_DIR.glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        title, status = _TITLE.search(text), _STATUS.search(text)
        if title is None or status is None or not path.name.startswith(f"{title[1]}-"):
            raise ValueError(f"{path.name}: needs `# NNNN Title` as in its name, and `Status: ...`")
        if title[1] in rows:
            raise ValueError(f"{path.name}: the number is taken")
        rows[title[1]] = f"| [{title[1]}]({path.name}) | {title[2]} | {status[1]} |"
    return ADR_INTRODUCTION + "\n".join(rows.values()) + "\n"


def coverage_page() -> str:
    """Return docs/api-coverage.md."""
    tested = _tests_by_operation()
    parts = [COVERAGE_INTRODUCTION]
    for title, service in (
        ("Lambda", lambda_.LAMBDA),
        ("CloudWatch Logs", logs.LOGS),
        ("STS", sts.STS),
        *_neighbours(),
    ):
        served, missing = service.served(), service.missing()
        rows = [f"| `{name}` | {_links(tested.get(name, ()))} |" for name in served]
        parts.append(
            f"## {title}: {len(served)} of {len(served) + len(missing)}\n\n"
            "| served | tests that call it |\n|---|---|\n" + "\n".join(rows) + "\n\n"
            f"Not served yet: {_names(missing)}.\n"
        )
    return "\n".join(parts)


def _neighbours() -> list[tuple[str, Any]]:
    """Return title and service of every neighbour that has a package."""
    names = [name for name in NEIGHBOURS if find_spec(f"lambdad.neighbours.{name}") is not None]
    packages = [import_module(f"lambdad.neighbours.{name}") for name in names]
    services = [each.NEIGHBOUR.service for each in packages if hasattr(each, "NEIGHBOUR")]
    return [(str(each.model.metadata["serviceId"]), each) for each in services]


def _tests_by_operation() -> dict[str, list[Path]]:
    """Which test files call which operation, by botocore's name of its method."""
    neighbours = [service for _, service in _neighbours()]
    found: dict[str, list[Path]] = {}
    files = sorted((ROOT / "tests").glob("*/**/test_*.py"))
    words = {path: set(re.findall(r"\w+", path.read_text(encoding="utf-8"))) for path in files}
    for service in (lambda_.LAMBDA, logs.LOGS, sts.STS, *neighbours):
        for name in service.served():
            method = {xform_name(name), name}
            found[name] = [path for path, here in words.items() if here & method]
    return found


def _links(paths: Sequence[Path]) -> str:
    """Name a few tests, those over HTTP first."""
    order = ("conformance", "e2e", "integration", "security", "unit")
    nearest = sorted(
        paths,
        key=lambda path: (
            order.index(path.relative_to(ROOT / "tests").parts[0])
            if path.relative_to(ROOT / "tests").parts[0] in order
            else len(order)
        ),
    )
    named = [f"[{p.relative_to(ROOT / 'tests')}](../{p.relative_to(ROOT)})" for p in nearest[:3]]
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(named) + more if named else "**none**"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{each}`" for each in names) or "none"


def states_page() -> str:
    """Return docs/states.md."""
    table = environment_state.TRANSITIONS
    first, last = environment_state.EnvironmentState.NEW, environment_state.EnvironmentState.DEAD
    # Mermaid's labels end at a colon or semicolon.
    arrows = [f"{e.before} --> {e.after}: {re.sub('[:;]', ',', e.when)}" for e in table]
    return STATES.format(
        environment=_diagram([f"[*] --> {first}", *arrows, f"{last} --> [*]"]),
        rows="\n".join(f"| {each.before} | {each.after} | {each.when} |" for each in table),
        runtime=_diagram(_arrows(session.TRANSITIONS)),
        extension=_diagram(_arrows(extension.TRANSITIONS)),
    )


def _arrows(followers: Mapping[Any, frozenset[Any]]) -> list[str]:
    """Draw a table without reasons; its first state is the one that a life begins with."""
    first = next(iter(followers))
    pairs = [(before, after) for before in followers for after in sorted(followers[before])]
    return [f"[*] --> {first}", *(f"{before} --> {after}" for before, after in pairs)]


def _diagram(arrows: Sequence[str]) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {a}" for a in arrows), "```"])


def types_page() -> str:
    """Return the types of resources that CloudFormation knows here."""
    rows = [
        f"| `{name}` | {'yes' if known.update else 'no'} | {'yes' if name in READERS else 'no'} | "
        f"{f'`{IDENTIFIERS[name]}`' if name in IDENTIFIERS else ''} |"
        for name, known in sorted(TYPES.items())
    ]
    return TYPES_INTRODUCTION + "\n".join(rows) + "\n"


PAGES = {
    ROOT / "docs" / "api-coverage.md": coverage_page,
    ROOT / "docs" / "cli.md": cli_page,
    ROOT / "docs" / "cloudformation-types.md": types_page,
    ROOT / "docs" / "configuration.md": configuration_page,
    ROOT / "docs" / "failures.md": failures_page,
    ROOT / "docs" / "states.md": states_page,
    ADR_DIR / "README.md": adr_index,
}


def write() -> None:
    """Write what has changed."""
    for path, make in PAGES.items():
        text = make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    write()
