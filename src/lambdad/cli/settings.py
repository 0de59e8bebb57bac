"""Options that override configuration keys, the same for `serve` and `doctor`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lambdad.cli.errors import Failure
from lambdad.config.sections import Config

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """Add `--config`."""
    return click.option(
        "--config",
        "path",
        envvar="LAMBDAD_CONFIG",
        show_envvar=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="TOML file; see docs/configuration.md.  [default: lambdad.toml, if there is one]",
    )(command)


def configuration(path: Path | None, options: dict[str, object]) -> Config:
    """Return the effective configuration: file, then environment, then the given options.

    `options` maps `section.key` to a value; None means not given.

    Raises:
        Failure: a file or value is wrong.
    """
    from lambdad.config.load import ConfigError, load_config

    overrides = {key: value for key, value in options.items() if value is not None}
    try:
        return load_config(path=path, overrides=overrides)
    except ConfigError as error:
        raise Failure(error.cause, error.remedy) from error
