"""What `lambdad serve` says: a banner when ready, a line when draining, a line at the end.

Goes to stderr, so that stdout stays free for what a wrapper may want to read from it.
"""

from __future__ import annotations

import click

from lambdad import __version__
from lambdad.server.announcements import Readiness

# More would hide the address; `lambdad doctor` has them all.
MOST_WARNINGS = 4


class Banner:
    """A `lambdad.server.announcements.Announcer` for people."""

    def ready(self, readiness: Readiness) -> None:
        """Say where, how isolated, and what to paste into a shell."""
        took = ""
        if readiness.started_in_s is not None:
            took = click.style(f" in {readiness.started_in_s * 1000:.0f} ms", dim=True)
        self._say(click.style(f"lambdad {__version__}", bold=True) + " is ready" + took)
        self._say(f"  endpoint   {click.style(readiness.endpoint_url, fg='cyan')}")
        self._say(f"  isolation  {_isolation(readiness)}")
        self._say(f"  data       {readiness.data_dir}")
        for warning in readiness.warnings[:MOST_WARNINGS]:
            self._say(click.style(f"  warning    {warning}", fg="yellow"))
        if (more := len(readiness.warnings) - MOST_WARNINGS) > 0:
            self._say(
                click.style(f"  warning    and {more} more: see `lambdad doctor`", fg="yellow")
            )
        self._say("")
        self._say(click.style("In another shell:", dim=True))
        self._say(
            f"  export AWS_ENDPOINT_URL={readiness.endpoint_url} AWS_DEFAULT_REGION=us-east-1"
        )
        self._say("  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test")
        self._say("")

    def draining(self, running: int) -> None:
        """Say what is waited for."""
        if running == 0:
            self._say("Stopping ...")
            return
        plural = "" if running == 1 else "s"
        self._say(f"Draining: {running} running invocation{plural} may finish ...")

    def stopped(self) -> None:
        """Say good-bye."""
        self._say("Stopped.")

    @staticmethod
    def _say(line: str) -> None:
        # click removes the colours when stderr is not a terminal.
        click.echo(line, err=True)


def _isolation(readiness: Readiness) -> str:
    if readiness.isolated:
        return readiness.backend
    alarm = f"{readiness.backend}: NONE. Functions can do whatever this user can."
    return click.style(alarm, fg="red", bold=True) + " See `lambdad doctor`."
