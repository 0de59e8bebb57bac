"""`lambdad events`: what triggers and pollers bring to functions, as it happens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from lambdad.cli.client import endpoint_option
from lambdad.cli.output import on_terminal
from lambdad.cli.own_pages import ask

# Eighty columns with the blanks between.
WIDTHS = (8, 25, 5, 18, 9, 6)
HEAD = ("time", "source", "batch", "function", "result", "age")
STYLES = {"ok": "green", "queued": "cyan", "throttled": "yellow", "error": "red", "refused": "red"}
_WAIT_S = 10


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on until interrupted.")
@click.option("--source", help="Only of this kind (sqs, s3, sns …) or ARN.")
@click.option("--function", help="Only to this function: name, name:qualifier or ARN.")
@click.option("--failed", is_flag=True, help="Only what did not go well.")
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(0, 1_000),
    default=20,
    show_default=True,
    help="Of what happened before, so many.",
)
@endpoint_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for each event.")
def events(follow: bool, limit: int, endpoint_url: str, as_json: bool, **chosen: Any) -> None:
    """Show what came to functions from sources, and what became of it.

    Each line is a batch of a poller, an event that a service pushed, or a request to a front door:
    when, where it came from, how many records, the function, the result, and how old the oldest
    record was. An event that is pushed shows twice: `queued` when it is accepted, and then as it
    was tried. Results are ok, queued, error (the function failed), throttled and refused (nothing
    ran; the reason stands below).

    The daemon remembers the last 1,000 since it was started. Direct calls of Invoke are not shown,
    those with --invocation-type Event are, from `async`.

    \b
    Examples:
      lambdad events -f
      lambdad events --source sqs --failed
      lambdad events --function resize --json | jq .age_ms
    """  # noqa: D301 - click wants the character
    query = {
        "source": chosen["source"],
        "function": chosen["function"],
        "failed": "1" if chosen["failed"] else None,
    }
    if not as_json:
        click.secho(_line(HEAD), dim=on_terminal())
    try:
        for event in _read(endpoint_url, query, limit, follow=follow):
            _show(event, as_json=as_json)
    except KeyboardInterrupt:
        # The usual way to end --follow.
        return


def _read(
    endpoint_url: str, query: Mapping[str, Any], limit: int, *, follow: bool
) -> Iterator[Mapping[str, Any]]:
    document = ask(endpoint_url, "events", {**query, "limit": limit})
    while True:
        yield from document["events"]
        if not follow:
            return
        document = ask(
            endpoint_url, "events", {**query, "after": document["next"], "wait": _WAIT_S}
        )


def _show(event: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(event))
        return
    result = event["result"]
    cells = _cells(event)
    if on_terminal():
        before, behind = _line(cells[:4], WIDTHS[:4]), _line(cells[5:], WIDTHS[5:])
        styled = click.style(cells[4].ljust(WIDTHS[4]), fg=STYLES.get(result))
        click.echo(f"{before} {styled} {behind}".rstrip())
    else:
        click.echo(_line(cells).rstrip())
    if event["detail"]:
        click.secho(f"{'':8} {' '.join(event['detail'].split())[:70]}", dim=on_terminal())


def _cells(event: Mapping[str, Any]) -> tuple[str, ...]:
    _, _, function = event["function"].partition(":function:")
    place = event["arn"].rpartition(":")[2].removeprefix("table/").removeprefix("stream/")
    name = place.split("/stream/")[0]
    return (
        f"{datetime.fromtimestamp(event['at_ms'] / 1_000).astimezone():%H:%M:%S}",
        f"{event['source']} {name}".rstrip(),
        str(event["size"]),
        function or event["function"],
        event["result"],
        age_text(event["age_ms"]),
    )


def _line(cells: tuple[str, ...], widths: tuple[int, ...] = WIDTHS) -> str:
    return " ".join(
        _cut(cell, width).rjust(width) if index == 2 else _cut(cell, width).ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def age_text(age_ms: float | None) -> str:
    """Return an age in four characters or so: `12ms`, `3.4s`, `5m`, `2h`."""
    if age_ms is None:
        return "-"
    if age_ms < 1_000:
        return f"{age_ms:.0f}ms"
    seconds = age_ms / 1_000
    if seconds < 60:
        return f"{seconds:.1f}s"
    return f"{seconds / 60:.0f}m" if seconds < 5_400 else f"{seconds / 3_600:.0f}h"
