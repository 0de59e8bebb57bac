"""How a command ends: exit codes, and errors in one line.

Exit codes are the same for every command: 0 success, 1 the function (or, for `doctor`, the
host) is not well, 2 wrong usage or no service.
"""

from __future__ import annotations

from typing import IO, Any

import click

SUCCESS = 0
FUNCTION_ERROR = 1
FAILURE = 2


class Failure(click.ClickException):
    """The command cannot do what was asked: cause in one line, remedy in a second if known."""

    exit_code = FAILURE

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(" ".join(cause.split()))
        self.remedy = remedy

    def show(self, file: IO[Any] | None = None) -> None:
        """Write to stderr."""
        click.echo(f"lambdad: {self.message}", err=True, file=file)
        if self.remedy:
            click.echo(f"  {self.remedy}", err=True, file=file)
