"""`lambdad remove`: what `lambdad deploy` has made."""

from __future__ import annotations

from typing import Any

import click

from lambdad.cli.client import one_line_errors
from lambdad.cli.commands.deploy import deployment_of, project_options
from lambdad.domain.clock import SystemClock


@click.command()
@project_options
def remove(context: click.Context, /, **given: Any) -> None:
    """Remove a project: its stack with all resources, and its packages.

    PLACE and the options are what was given to `lambdad deploy`. A bucket with objects in it is not
    removed: empty it first.
    """
    from lambdad.cli.deployment.deploying import Lines
    from lambdad.cli.deployment.stacks import Stack

    clock = SystemClock()
    begun = clock.monotonic()
    with one_line_errors(given["endpoint_url"]):
        work = deployment_of(context, given)
        click.echo(f"Removing the stack {work.stack} from {work.connection.region}")
        stack = Stack(work.connection.client("cloudformation"), work.stack, Lines())
        removed = stack.remove()
        work.artifacts.remove()
        took = f"{clock.monotonic() - begun:.1f} s"
        click.echo(f"Removed in {took}." if removed else "There is no such stack.")
