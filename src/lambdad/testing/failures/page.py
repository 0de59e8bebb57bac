"""The failure matrix as a page of the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambdad.testing.failures import (
    of_extensions,
    of_handlers,
    of_inits,
    of_requests,
    of_runtimes,
)
from lambdad.testing.failures.case import Answer, Failure, shown

TABLES: Mapping[str, Sequence[Failure]] = {
    "The handler": of_handlers.ROWS,
    "Init": of_inits.ROWS,
    "Custom runtimes": of_runtimes.RUNTIMES,
    "Streamed responses": of_runtimes.STREAMS,
    "Extensions": of_extensions.ROWS,
    "Requests that are refused": of_requests.ROWS,
}

_INTRODUCTION = """\
# What happens when something fails

<!-- Made from the tables in lambdad.testing.failures by `make docs`; do not edit. -->

{count} kinds of failure: what the caller gets, what the function's log says, and what becomes of
the execution environment. Each cell is asserted by `tests/conformance/failures`, against a daemon
and real sandboxes.

- **Caller**: HTTP status, `Unhandled` where the response has the header
  `X-Amz-Function-Error: Unhandled`, and the body. Stack traces, and request ids in bodies of the
  Python runtime, are left out. Of a stream: what came, and what its `InvokeComplete` says.
- **Log**: all that the log stream has of the call, but for `START` and `END`. `REPORT …` stands for
  the usual figures. `<id>` is the request id, `<ms>` and `<time>` are what they are called.
- **Environment**: whether the next event finds the same process and the same files in `/tmp`.
  One that is reset at init is initialised again with the next event, within its invocation.

Rows with * need a sandbox that confines: they do not hold with the backend `process`.
"""


def page() -> str:
    """Return docs/failures.md."""
    count = sum(len(rows) for rows in TABLES.values())
    parts = [_INTRODUCTION.format(count=count)]
    for title, rows in TABLES.items():
        lines = [f"## {title}", "", "| what fails | caller | log | environment |"]
        lines += ["|---|---|---|---|", *map(_row, rows)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _row(row: Failure) -> str:
    log = "<br>".join(_code(line) for line in shown(row.log)) or "nothing"
    title = row.title + (" *" if row.confined else "")
    return f"| {title} | {_caller(row.answer)} | {log} | {row.fate} |"


def _caller(answer: Answer) -> str:
    if answer.status is None:
        return "nobody"
    parts = [f"{answer.status} {answer.error or ''}".strip()]
    if answer.body:
        parts.append(_code(answer.body))
    if answer.complete is not None:
        code, details = answer.complete
        parts.append(f"ErrorCode {_code(code)}")
        parts.append(_code(details))
    return "<br>".join(parts)


def _code(text: str) -> str:
    escaped = text.replace("\t", " ").replace("|", "\\|").rstrip()
    return "<br>".join(f"`{line}`" for line in escaped.split("\n"))
