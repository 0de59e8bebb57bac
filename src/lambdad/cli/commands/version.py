"""`lambdad version`."""

from __future__ import annotations

import click

from lambdad import __version__
from lambdad.cli.output import write_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Also name Python and the service model.")
def version(as_json: bool) -> None:
    """Print the version."""
    if not as_json:
        click.echo(f"lambdad {__version__}")
        return
    import platform
    from importlib import metadata

    write_json(
        {
            "lambdad": __version__,
            "python": platform.python_version(),
            "botocore": metadata.version("botocore"),
        }
    )
