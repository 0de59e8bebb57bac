"""Effective settings: defaults, then the TOML file, then the environment, then options.

Decides which source wins and whether a value fits its key; every complaint names the source. The
keys themselves are the fields of :mod:`lambdad.config.sections`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lambdad.config.keys import Key, NotOfKind, keys, read_value_of, sections, tables
from lambdad.config.sections import Config
from lambdad.domain.errors import HostUnfit

PREFIX = "LAMBDAD_"
FILE_NAME = "lambdad.toml"

# Kubernetes gives every pod the address of each service; one named "lambdad" gets these.
_SERVICE_LINK = re.compile(r"LAMBDAD_(SERVICE_(HOST|PORT)|PORT)(_.*)?")


class ConfigError(HostUnfit):
    """A setting is wrong; says which, where it came from and what would be right."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """One `section.key` as a source gives it; `text` when it is a string still to be read."""

    name: str
    value: object
    source: str
    text: bool


def load_config(
    *,
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """Return the effective configuration.

    Args:
        path: a TOML file that must exist; None takes `lambdad.toml` of the working directory if
            there is one.
        environ: in place of the process's environment.
        overrides: values by `section.key`, as from command line options. They win.

    Raises:
        ConfigError: unknown key, wrong type, value out of range, unreadable file.
    """
    known = keys()
    chosen: dict[str, object] = {}
    for setting in (
        *_from_file(path),
        *_from_environment(os.environ if environ is None else environ, known),
        *_from_overrides(overrides or {}),
    ):
        chosen[setting.name] = _checked(setting, known)
    values: dict[str, Any] = {}
    for name, section in sections().items():
        given = {
            key.field: chosen[key.name]
            for key in known.values()
            if key.section == name and key.name in chosen
        }
        values[name] = section(**given)
    values.update(_tables(path))
    return Config(**values)


def _tables(path: Path | None) -> dict[str, Mapping[str, Path | str]]:
    """Read the tables with keys of the user's own, which only a file can have."""
    found, document = _document(path)
    read: dict[str, Mapping[str, Path | str]] = {}
    for name in tables():
        table = document.get(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{found}: {name} is not a table.", f"Write [{name}] above it.")
        read[name] = {key: _value(found, name, key, value) for key, value in table.items()}
    return read


def _value(found: Path, table: str, key: str, value: object) -> Path | str:
    try:
        return read_value_of(table, value)
    except NotOfKind as problem:
        raise ConfigError(
            f'{found}: {table}."{key}" = {value!r} is wrong.', f"It must be {problem}."
        ) from problem


def _document(path: Path | None) -> tuple[Path, Mapping[str, Any]]:
    """Return the file and what is in it; nothing when there is none and none was named."""
    found = Path(FILE_NAME) if path is None else path
    if path is None and not found.is_file():
        return found, {}
    try:
        return found, tomllib.loads(found.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{found} cannot be read: {error.strerror}.", "Name a file that exists and is readable."
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{found} is not TOML: {error}.", "Mend the file at that place."
        ) from error


def _from_file(path: Path | None) -> Iterator[_Setting]:
    found, document = _document(path)
    for section, table in document.items():
        if section in tables():
            continue
        if section not in sections():
            raise ConfigError(
                f"{found}: there is no section [{section}].",
                _nearest(section, {**sections(), **tables()}, "[{}]"),
            )
        if not isinstance(table, dict):
            raise ConfigError(f"{found}: {section} is not a table.", f"Write [{section}] above it.")
        for field, value in table.items():
            yield _Setting(f"{section}.{field}", value, str(found), text=False)


def _from_environment(environ: Mapping[str, str], known: Mapping[str, Key]) -> Iterator[_Setting]:
    names = {variable(key): key.name for key in known.values()}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or _SERVICE_LINK.fullmatch(name):
            continue
        if name not in names:
            raise ConfigError(
                f"The environment variable {name} is not a setting.", _nearest(name, names, "{}")
            )
        yield _Setting(names[name], text, f"environment variable {name}", text=True)


def _from_overrides(overrides: Mapping[str, object]) -> Iterator[_Setting]:
    for name, value in overrides.items():
        yield _Setting(name, value, f"option {name}", text=isinstance(value, str))


def _checked(setting: _Setting, known: Mapping[str, Key]) -> object:
    key = known.get(setting.name)
    if key is None:
        raise ConfigError(
            f"{setting.source}: there is no key {setting.name}.",
            _nearest(setting.name, known, "{}"),
        )
    try:
        return key.read(setting.value, text=setting.text)
    except NotOfKind as problem:
        raise ConfigError(
            f"{setting.source}: {setting.name} = {setting.value!r} is wrong.",
            f"It must be {problem}.",
        ) from problem


def variable(key: Key) -> str:
    """Return the environment variable of a key: `LAMBDAD_SERVER_PORT`."""
    return f"{PREFIX}{key.section}_{key.field}".upper()


def _nearest(name: str, valid: Mapping[str, object], form: str) -> str:
    close = get_close_matches(name, valid, n=1, cutoff=0.0)
    return f"The nearest that exists is {form.format(close[0])}."
