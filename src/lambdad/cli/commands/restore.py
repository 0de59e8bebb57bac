"""`lambdad restore`: a data directory from a backup."""

from __future__ import annotations

from pathlib import Path

import click

from lambdad.cli.copying import reported
from lambdad.cli.settings import config_option, configuration


@click.command()
@click.argument("backup", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="As for `serve`."
)
@click.option("--without-events", is_flag=True, help="Leave queued events out.")
@config_option
def restore(backup: Path, path: Path | None, data_dir: Path | None, without_events: bool) -> None:
    """Make a data directory of a BACKUP, after checking all of it; overwrites nothing.

    Events that were queued when the backup was made run again as soon as a daemon is started on it.
    """
    config = configuration(path, {"server.data_dir": data_dir})
    from lambdad.domain.clock import SystemClock
    from lambdad.server.backup import restore as run

    place = config.server.data_dir
    with reported() as progress:
        contents = run(backup, place, SystemClock(), progress, events=not without_events)
    click.echo(f"{place}: {contents.packages} packages of code, {contents.events} queued events")
    click.echo(f"Next: lambdad serve --data-dir {place}")
