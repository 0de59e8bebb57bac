"""`lambdad backup`: a consistent copy of everything durable, while the daemon serves."""

from __future__ import annotations

from pathlib import Path

import click

from lambdad.cli.copying import reported
from lambdad.cli.settings import config_option, configuration


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="As for `serve`."
)
@config_option
def backup(directory: Path, path: Path | None, data_dir: Path | None) -> None:
    """Copy the data directory to a new DIRECTORY, whether or not a daemon uses it.

    The copy is as of one moment: functions, versions, logs, queued events, code and keys. Run it
    as the user that runs the daemon, on the same machine.
    """
    config = configuration(path, {"server.data_dir": data_dir})
    from lambdad.domain.clock import SystemClock
    from lambdad.server.backup import back_up

    with reported() as progress:
        contents = back_up(config.server.data_dir, directory, SystemClock(), progress)
    click.echo(
        f"{directory}: {contents.packages} packages of code, {contents.events} queued events"
    )
