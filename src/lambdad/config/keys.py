"""Every setting as a value: section, name, type, default, bounds and its words.

Read from the dataclasses of :mod:`lambdad.config.sections`, so that a field there is all that a
new setting needs.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, get_args, get_origin, get_type_hints

from lambdad.config.sections import Config

_ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n {5,}.+)*)", re.MULTILINE)


# What numbers may be, both ends included; where nothing is said, 0 or more.
BOUNDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "server.port": (0, 65_535),
        # Uid 0 is root; uids end at 2^32 - 2.
        "sandbox.first_uid": (1, 2**32 - 2),
        # Each takes an address of a /16 and a uid.
        "sandbox.max_environments": (1, 65_536),
        "controlplane.transition_s": (0, 900),
        "dataplane.init_timeout_s": (0.001, 900),
        "dataplane.stream_pace_mb": (1, 1_000_000),
        "dataplane.snapshots_mb": (0, 100_000_000),
        "dataplane.concurrency": (1, math.inf),
        "prewarm.least": (0, 1_000),
        "prewarm.most": (0, 1_000),
        "prewarm.in_all": (0, 10_000),
        "dataplane.memory_mb": (1, math.inf),
        "dataplane.memory_overcommit": (1, 1_000),
        "logs.flush_interval_s": (0.001, 60),
        "logs.buffer_bytes": (1, math.inf),
    }
)


class NotOfKind(Exception):
    """A value does not fit its key; the text completes "It must be ..."."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One setting.

    Attributes:
        kind: the type of its field.
        words: what the section's docstring says about it, on one line.
        low: least number allowed.
        high: greatest number allowed.
    """

    section: str
    field: str
    kind: Any
    default: object
    words: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def name(self) -> str:
        """`section.key`, as in messages and options."""
        return f"{self.section}.{self.field}"

    def read(self, value: object, *, text: bool) -> object:
        """Return the value in the type of the field; `text` allows numbers in strings and so on.

        Raises:
            NotOfKind: it does not fit.
        """
        result = _read(self.kind, value, text=text)
        if isinstance(result, int | float) and not isinstance(result, bool):
            if not self.low <= result <= self.high:
                raise NotOfKind(self._range())
        elif isinstance(self.default, str) and result == "":
            raise NotOfKind("a text that is not empty")
        return result

    def _range(self) -> str:
        if math.isinf(self.high):
            return f"{self.low:.10g} or more"
        return f"between {self.low:.10g} and {self.high:.10g}"


@cache
def sections() -> Mapping[str, type]:
    """Return the section classes by name, in the order of `Config`."""
    hints = get_type_hints(Config)
    names = [member.name for member in fields(Config) if is_dataclass(hints[member.name])]
    return MappingProxyType({name: hints[name] for name in names})


@cache
def tables() -> Mapping[str, str]:
    """Return the words on each table of `Config` whose keys the user chooses."""
    words = dict(_ATTRIBUTE.findall(inspect.cleandoc(Config.__doc__ or "")))
    names = (member.name for member in fields(Config) if member.name not in sections())
    return MappingProxyType({name: " ".join(words[name].split()) for name in names})


def read_value_of(table: str, value: object) -> Path | str:
    """Return the value of a key in one of the :func:`tables`: a path, or a text.

    Raises:
        NotOfKind: it is neither.
    """
    if get_args(get_type_hints(Config)[table])[1] is str:
        if not isinstance(value, str) or not value:
            raise NotOfKind("a string")
        return value
    path = _read_value(Path, value)
    if not isinstance(path, Path) or not path.is_absolute():
        raise NotOfKind("an absolute path, as a string")
    return path


@cache
def keys() -> Mapping[str, Key]:
    """Return every setting by `section.key`, in the order of the sections."""
    found = {}
    defaults = Config()
    for section, kind in sections().items():
        hints = get_type_hints(kind)
        words = dict(_ATTRIBUTE.findall(inspect.cleandoc(kind.__doc__ or "")))
        for member in fields(kind):
            low, high = BOUNDS.get(f"{section}.{member.name}", (0, math.inf))
            key = Key(
                section=section,
                field=member.name,
                kind=hints[member.name],
                default=getattr(getattr(defaults, section), member.name),
                words=" ".join(words.get(member.name, "").split()),
                low=low,
                high=high,
            )
            found[key.name] = key
    return MappingProxyType(found)


def _read(kind: Any, value: object, *, text: bool) -> object:
    arguments = get_args(kind)
    if NoneType in arguments:
        if value is None or (text and value == ""):
            return None
        return _read(arguments[0], value, text=text)
    if get_origin(kind) is tuple:
        return _read_list(arguments[0], value, text=text)
    if text and isinstance(value, str):
        return _read_text(kind, value)
    return _read_value(kind, value)


def _read_list(kind: Any, value: object, *, text: bool) -> tuple[object, ...]:
    if text and isinstance(value, str):
        parts: list[object] = [part.strip() for part in value.split(",") if part.strip()]
    elif isinstance(value, list | tuple):
        parts = list(value)
    else:
        raise NotOfKind("a list of strings")
    return tuple(_read(kind, part, text=text) for part in parts)


def _read_text(kind: Any, value: str) -> object:
    if kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if value.strip().lower() not in words:
            raise NotOfKind("true or false")
        return words[value.strip().lower()]
    if kind in (int, float):
        try:
            return _finite(kind(value))
        except ValueError as error:
            raise NotOfKind(_KINDS[kind]) from error
    return _read_value(kind, value)


def _read_value(kind: Any, value: object) -> object:
    if kind is Path and isinstance(value, str | Path):
        if value == "":
            raise NotOfKind("the path of a file or directory")
        return Path(value).expanduser()
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # A bool is an int to Python and not to the reader of a configuration.
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise NotOfKind(_KINDS[kind])
    return _finite(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotOfKind("a finite number")
    return value


_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path, as a string",
}
