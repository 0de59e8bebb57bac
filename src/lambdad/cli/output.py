"""How results look: coloured tables on a terminal, aligned plain text in a pipe, or JSON.

Decides form only. Plain text has no escape sequences and no box drawing, so that `grep` and
`cut` work on it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

import click

STYLES = {"ok": "green", "degraded": "yellow", "missing": "red", "stands in": "yellow"}


def on_terminal() -> bool:
    """Whether a person is looking at stdout."""
    return sys.stdout.isatty()


def write_json(document: object) -> None:
    """Write one JSON document to stdout."""
    click.echo(json.dumps(document, indent=2, default=str))


def write_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows under a title; cells that name a state are coloured on a terminal."""
    listed = [tuple(row) for row in rows]
    if on_terminal():
        _write_rich(title, columns, listed)
    else:
        _write_plain(title, columns, listed)


def _write_rich(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console = Console()
    console.print(table)
    console.print()


def _write_plain(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    cells = [tuple(columns), *rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    click.echo(title)
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(f"  {line.rstrip()}")
    click.echo()
