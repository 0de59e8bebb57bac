"""Options that override configuration keys, the same for `serve` and `doctor`."""

from __future__ import annotations

from pathlib import Path

from lambdad.cli.errors import Failure
from lambdad.config.sections import Config


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
        raise Failure(str(error)) from error
