"""How commands that copy show how far they are, and how they fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from lambdad.cli.errors import Failure


@contextmanager
def reported() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that is told of progress: one changing line on a terminal, else one per item.

    Raises:
        Failure: instead of HostUnfit.
    """
    from lambdad.domain.errors import HostUnfit

    live = sys.stderr.isatty()
    shown: list[str] = []

    def progress(what: str, done: int, total: int) -> None:
        if live:
            click.echo(f"\r\x1b[K{what}: {done} of {total}", nl=False, err=True)
        elif done == total and what not in shown:
            shown.append(what)
            click.echo(f"{what}: {total}", err=True)

    try:
        yield progress
    except HostUnfit as error:
        raise Failure(error.cause, error.remedy) from error
    finally:
        if live:
            click.echo("\r\x1b[K", nl=False, err=True)
