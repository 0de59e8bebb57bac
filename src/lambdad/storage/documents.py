"""Frozen dataclasses of the domain as JSON text, and back.

Decides how values are written down: members under their Python names, enums by value, tuples as
arrays. A member that is missing in the text takes its default, one that the class no longer has
is ignored, so a field with a default may be added without a migration.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_Reader = Callable[[Any], Any]


def encode(value: Any) -> str:
    """Return the compact JSON text of a dataclass instance, in ASCII.

    Escaped, because a request may hold lone surrogates, which no UTF-8 column takes.
    """
    return json.dumps(_plain(value), separators=(",", ":"))


def decode(kind: type[T], text: str) -> T:
    """Return the instance of the dataclass `kind` that `text` describes."""
    reader: _Reader = _instance_reader(kind)  # type: ignore[arg-type] # a class is hashable
    value: T = reader(json.loads(text))
    return value


def json_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a document that holds what JSON text would give back: no tuple, no alias.

    Raises:
        TypeError, ValueError: it holds something that is not JSON.
    """
    values: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
    return values


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {member.name: _plain(getattr(value, member.name)) for member in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@cache
def _instance_reader(kind: type) -> _Reader:
    hints = get_type_hints(kind)
    readers = {member.name: _reader(hints[member.name]) for member in fields(kind)}

    def read(document: dict[str, Any]) -> Any:
        members = {}
        for name, item in document.items():
            if name in readers:
                reader = readers[name]
                members[name] = item if reader is None or item is None else reader(item)
        return kind(**members)

    return read


def _reader(hint: Any) -> _Reader | None:
    """Return what turns plain JSON into `hint`; None when it is that already."""
    if isinstance(hint, type) and is_dataclass(hint):
        # Looked up when it is needed: a class may have members of its own kind.
        return lambda document: _instance_reader(hint)(document)  # noqa: PLW0108
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _union_reader(arguments)
    if origin is tuple:
        return _tuple_reader(_reader(arguments[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_reader(_reader(arguments[1]))
    return None


def _tuple_reader(item: _Reader | None) -> _Reader:
    return tuple if item is None else lambda value: tuple(map(item, value))


def _mapping_reader(item: _Reader | None) -> _Reader | None:
    if item is None:
        return None
    return lambda value: {name: item(part) for name, part in value.items()}


def _union_reader(arguments: tuple[Any, ...]) -> _Reader | None:
    readers = [_reader(argument) for argument in arguments if argument is not NoneType]
    if len(readers) > 1 and any(readers):
        raise TypeError(f"cannot tell the members of {arguments} apart in JSON")
    return readers[0]
