"""`lambdad sources`: every event source mapping, and how far behind it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from lambdad.cli.client import endpoint_option
from lambdad.cli.commands.events import age_text
from lambdad.cli.output import write_json, write_table
from lambdad.cli.own_pages import ask

COLUMNS = ("mapping", "source", "function", "state", "waiting", "age", "last")


@click.command()
@endpoint_option
@click.option("--json", "as_json", is_flag=True, help="Print the daemon's JSON.")
def sources(endpoint_url: str, as_json: bool) -> None:
    """List event source mappings with their lag.

    `waiting` are the messages that a queue has; `age` is how old the oldest record of the last
    batch was when it was given to the function (the iterator age of a stream), and `last` what
    became of that batch. The first characters of a mapping's UUID are enough to tell it; --json
    has all of it.
    """
    document = ask(endpoint_url, "sources")
    if as_json:
        write_json(document)
        return
    found = document["sources"]
    write_table(f"{len(found)} event source mappings", COLUMNS, [_row(each) for each in found])


def _row(source: Mapping[str, Any]) -> tuple[str, ...]:
    last = source["last"] or {}
    _, _, function = source["function"].partition(":function:")
    place = source["arn"].rpartition(":")[2].removeprefix("table/").removeprefix("stream/")
    name = place.split("/stream/")[0]
    return (
        source["uuid"][:8],
        f"{source['kind']} {name[:18]}".rstrip(),
        function[:18],
        source["state"],
        "-" if source["waiting"] is None else str(source["waiting"]),
        age_text(last.get("age_ms")),
        last.get("result") or "-",
    )
