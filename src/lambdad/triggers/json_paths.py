"""JSONPath, as `$input` and mappings of API Gateway have it. Pure.

Members, indices, slices, wildcards, descent, and filters that compare a member with a constant.
Time is bounded: a path visits so many values and no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

_VISITS_MAX = 50_000
_STEPS_MAX = 64
_TOKEN = re.compile(
    r"""\.\.(?P<descend>)
    |\.?\[\s*(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*\]
    |\.?\[\s*(?P<index>-?\d{1,9})\s*\]
    |\.?\[\s*(?P<slice>-?\d{0,9}:-?\d{0,9})\s*\]
    |\.?\[\s*(?P<indices>-?\d{1,9}(?:\s*,\s*-?\d{1,9})+)\s*\]
    |\.?\[\s*(?P<all>\*)\s*\]
    |\.?\[\s*\?\(\s*@\.(?P<member>[\w.-]+)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*
        (?P<constant>'[^']*'|"[^"]*"|-?\d+(?:\.\d+)?|true|false|null))?\s*\)\s*\]
    |\.?(?P<any>\*)
    |\.(?P<name>[^.\[\]*]+)
    |(?P<bare>[^.\[\]*]+)""",
    re.VERBOSE,
)
_Select = Callable[[Any], Iterator[Any]]


class BadPath(ValueError):
    """A path cannot be read, or visits too much."""


def find(document: Any, path: str) -> list[Any]:
    """Return all values that a path leads to.

    Raises:
        BadPath: it is none.
    """
    found = [document]
    visits = 0
    for select in _steps(path)[0]:
        following: list[Any] = []
        for value in found:
            for each in select(value):
                visits += 1
                if visits > _VISITS_MAX:
                    raise BadPath("the path visits too many values")
                following.append(each)
        found = following
    return found


def value_at(document: Any, path: str, default: Any = None) -> Any:
    """Return the value of a path; a list of values where it may lead to several.

    Raises:
        BadPath: it is none.
    """
    found = find(document, path)
    if _steps(path)[1]:
        return found
    return found[0] if found else default


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[tuple[_Select, ...], bool]:
    """Return what a path is made of, and whether it may lead to several values."""
    text = path.strip()
    position = 1 if text.startswith("$") else 0
    steps: list[_Select] = []
    several = False
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or len(steps) >= _STEPS_MAX:
            raise BadPath(f"{path[:100]} is no JSONPath")
        select, many = _step(token)
        steps.append(select)
        several = several or many
        position = token.end()
        if token["descend"] is not None and position < len(text) and text[position] not in "[*.":
            position -= 1  # `..name` goes on as `.name`
    return tuple(steps), several


def _step(token: re.Match[str]) -> tuple[_Select, bool]:
    if token["descend"] is not None or token["all"] or token["any"]:
        return _descend if token["descend"] is not None else _children, True
    if token["slice"] is not None:
        ends = [int(end) if end else None for end in token["slice"].split(":")]
        return lambda value: iter(value[slice(*ends)] if isinstance(value, list) else ()), True
    if token["indices"] is not None:
        indices = [int(index) for index in token["indices"].split(",")]
        return lambda value: (each for index in indices for each in _at(value, index)), True
    if token["member"] is not None:
        return _filter(token), True
    if token["index"] is not None:
        index = int(token["index"])
        return lambda value: _at(value, index), False
    name = _unquoted(token["quoted"]) if token["quoted"] else token["name"] or token["bare"]
    return lambda value: _named(value, name.strip()), False


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _named(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]


def _at(value: Any, index: int) -> Iterator[Any]:
    if isinstance(value, list) and -len(value) <= index < len(value):
        yield value[index]


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _descend(value: Any) -> Iterator[Any]:
    pending = [value]
    while pending:
        each = pending.pop()
        yield each
        pending.extend(reversed(list(_children(each))))


def _filter(token: re.Match[str]) -> _Select:
    path, operator = f".{token['member']}", token["operator"]
    text = token["constant"]
    constant = None
    if text is not None:
        constant = text[1:-1] if text[0] in "'\"" else json.loads(text)

    def holds(item: Any) -> bool:
        found = find(item, path)
        if operator is None or not found:
            return bool(found)
        return _compare(found[0], operator, constant)

    return lambda value: filter(holds, _children(value))


def _compare(value: Any, operator: str, constant: Any) -> bool:
    if operator in ("==", "!="):
        return (value == constant) is (operator == "==")
    if isinstance(value, bool) or isinstance(value, str) is not isinstance(constant, str):
        return False
    try:
        order = (value > constant) - (value < constant)
    except TypeError:
        return False
    return order in {"<": (-1,), ">": (1,), "<=": (-1, 0), ">=": (1, 0)}[operator]
