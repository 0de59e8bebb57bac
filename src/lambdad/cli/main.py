"""The `lambdad` command group.

A command's module is imported when the command, or the list of commands, is asked for.
"""

from __future__ import annotations

import importlib

import click

from lambdad import __version__

COMMANDS = (
    "serve",
    "init",
    "dev",
    "deploy",
    "remove",
    "doctor",
    "invoke",
    "logs",
    "queue",
    "events",
    "sources",
    "backup",
    "restore",
    "runtimes",
    "health",
    "version",
)


class LazyGroup(click.Group):
    """Finds the command `name` as `name` in `lambdad.cli.commands.<name>`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is no such."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"lambdad.cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="lambdad %(version)s")
def main() -> None:
    """AWS Lambda on your own machines.

    Start the daemon with `lambdad serve`, then use it with any AWS tool.
    """
