"""`lambdad logs`: what functions wrote, and what they write now.

Works for everyone: AWS's own `aws logs tail` is missing from some versions of its CLI.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from lambdad.cli.client import Connection, connection_options, one_line_errors
from lambdad.cli.durations import parse_moment
from lambdad.cli.errors import Failure
from lambdad.domain.clock import SystemClock

PAUSE_S = 1.0

# Lines of one moment may be stored after others of the same moment were read, so each look
# goes back this far and leaves out what was shown.
OVERLAP_MS = 5_000

Event = Mapping[str, Any]


@click.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what comes, until Ctrl-C.")
@click.option(
    "--since",
    default="10m",
    show_default=True,
    help="How far back: 30s, 10m, 2h, 1d, 1w, or an ISO 8601 time.",
)
@click.option("--filter", "pattern", default="", help="CloudWatch Logs filter pattern.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@connection_options
def logs(
    name: str, follow: bool, since: str, pattern: str, as_json: bool, **connection: str
) -> None:
    """Show the log of a function.

    NAME is a function's name, or a log group if it begins with a slash.
    """
    start_ms = _start_ms(since)
    group = name if name.startswith("/") else f"/aws/lambda/{name}"
    service = Connection(**connection)
    with one_line_errors(service.endpoint_url):
        reader = LogReader(service.client("logs"), group, start_ms, pattern)
        try:
            events = reader.follow(time.sleep) if follow else reader.read()
            for event in events:
                click.echo(line(event, as_json=as_json))
        except KeyboardInterrupt:
            # The usual way to end --follow.
            return
        except reader.missing as error:
            raise Failure(
                f"There is no log group {group}.", "A function's first invocation makes it."
            ) from error


class LogReader:
    """Reads a log group forward, each event once.

    Mutable state: `_start_ms`, where the next look begins, and `_shown`, the events at or
    behind it that were already returned.
    """

    def __init__(self, client: Any, group: str, start_ms: int, pattern: str) -> None:
        self._client = client
        self._request = {"logGroupName": group, "filterPattern": pattern}
        self._start_ms = start_ms
        self._shown: dict[str, int] = {}
        self.missing: type[Exception] = client.exceptions.ResourceNotFoundException

    def read(self) -> Iterator[Event]:
        """Yield what there is and was not yielded before.

        Raises:
            missing: there is no such group.
        """
        newest = self._start_ms
        for event in self._events():
            newest = max(newest, event["timestamp"])
            if event["eventId"] not in self._shown:
                self._shown[event["eventId"]] = event["timestamp"]
                yield event
        self._start_ms = max(self._start_ms, newest - OVERLAP_MS)
        self._shown = {key: at for key, at in self._shown.items() if at >= self._start_ms}

    def follow(self, pause: Callable[[float], None]) -> Iterator[Event]:
        """Yield events for ever; a group that does not exist yet is waited for."""
        while True:
            with contextlib.suppress(self.missing):
                yield from self.read()
            pause(PAUSE_S)

    def _events(self) -> Iterator[Event]:
        request = dict(self._request, startTime=self._start_ms)
        while True:
            page = self._client.filter_log_events(**request)
            yield from page["events"]
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]


def _start_ms(since: str) -> int:
    try:
        moment = parse_moment(since, SystemClock().now())
        return max(0, int(moment.timestamp() * 1000))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{since!r} is neither a duration like 10m nor an ISO 8601 time.", param_hint="--since"
        ) from error


def line(event: Event, *, as_json: bool) -> str:
    """Return an event as it is shown."""
    if as_json:
        return json.dumps(event)
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return (
        f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z {event['message']}".rstrip()
    )
