"""`lambdad queue`: the events of asynchronous invocations that are not done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from lambdad.cli.client import endpoint_option
from lambdad.cli.errors import Failure
from lambdad.cli.output import write_json, write_table
from lambdad.cli.own_pages import ask

STATES = ("waiting", "running", "set-aside")
COLUMNS = ("id", "state", "kind", "function", "tries", "due", "size", "last message")

_function_option = click.option(
    "--function", help="Name (of the default account and region) or ARN; its deliveries included."
)
_state_option = click.option("--state", type=click.Choice(STATES), help="Only these.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the daemon's JSON.")


@click.group()
def queue() -> None:
    """Look after events that were accepted and are not done.

    An event waits, is running, or was set aside because nothing can be done with it; a delivery to
    a destination or a dead-letter queue is an event of its own.
    """


@queue.command(name="list")
@_function_option
@_state_option
@click.option("--after", type=click.IntRange(min=0), default=0, help="Go on behind this id.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=100, show_default=True, help="At most."
)
@endpoint_option
@_json_option
def list_events(endpoint_url: str, as_json: bool, **query: object) -> None:
    """Count the events and list them by age."""
    document = ask(endpoint_url, "queue", query)
    if as_json:
        write_json(document)
        return
    counts = document["counts"]
    title = (
        f"{counts['waiting']} waiting, {counts['running']} running, {counts['set_aside']} set aside"
    )
    write_table(title, COLUMNS, [_row(event) for event in document["events"]])
    if document["next"] is not None:
        click.echo(f"There may be more: --after {document['next']}")


@queue.command()
@click.argument("event_id", type=click.IntRange(min=1))
@endpoint_option
@_json_option
def show(event_id: int, endpoint_url: str, as_json: bool) -> None:
    """Show one event with its payload."""
    document = ask(endpoint_url, f"queue/{event_id}")
    if as_json:
        write_json(document)
        return
    rows = [(name, _value(name, value)) for name, value in document.items() if value is not None]
    write_table(f"Event {event_id}", ("member", "value"), rows)


@queue.command()
@click.argument("event_ids", type=click.IntRange(min=1), nargs=-1, required=True)
@endpoint_option
def retry(event_ids: tuple[int, ...], endpoint_url: str) -> None:
    """Run events now, whatever became of them, with all their retries before them."""
    for event_id in event_ids:
        ask(endpoint_url, f"queue/{event_id}/retry", method="POST")
        click.echo(f"Event {event_id} is due now.")


@queue.command()
@click.argument("event_id", type=click.IntRange(min=1), required=False)
@_function_option
@_state_option
@click.option("--all", "everything", is_flag=True, help="Remove every event there is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@endpoint_option
@_json_option
def purge(everything: bool, yes: bool, endpoint_url: str, as_json: bool, **chosen: object) -> None:
    """Remove events for good: one, or all that fit; nobody is told of their end."""
    query = {"id": chosen["event_id"], "function": chosen["function"], "state": chosen["state"]}
    if not everything and not any(query.values()):
        raise Failure("Nothing was chosen.", "Name an id, --function, --state, or --all.")
    if not yes and query["id"] is None:
        click.confirm("Remove these events for good?", abort=True, err=True)
    document = ask(endpoint_url, "queue/purge", query, method="POST")
    if as_json:
        write_json(document)
    else:
        click.echo(f"{document['purged']} events were removed.")


def _row(event: Mapping[str, Any]) -> tuple[str, ...]:
    _, _, name = event["function"].partition(":function:")
    target = event["target"]
    return (
        str(event["id"]),
        event["state"],
        event["kind"],
        (name or event["function"]) + (f" > {target}" if target else ""),
        str(event["tries"]),
        _moment(event["visible_ms"]),
        str(event["size"]),
        " ".join(event["message"].split())[:80],
    )


def _value(name: str, value: object) -> str:
    if name.endswith("_ms") and isinstance(value, int):
        return _moment(value)
    if isinstance(value, dict):
        return "  ".join(f"{key}={each}" for key, each in value.items())
    return str(value)


def _moment(epoch_ms: int | None) -> str:
    if epoch_ms is None:
        return "-"
    return f"{datetime.fromtimestamp(epoch_ms / 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
