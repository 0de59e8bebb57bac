"""How what there is differs from what a template says: the heart of drift detection. Pure.

What the template leaves out is not compared, except for entries of maps that count as a whole,
such as tags and environment variables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.types.reading import Whole, pairs

Difference = dict[str, str]


def compared(
    expected: Mapping[str, Any], actual: Mapping[str, Any], *, own_tags: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any], list[Difference]]:
    """Return both sides, of the properties that can be compared, and how they differ.

    `own_tags` are those that the stack gives its resources.
    """
    wanted = {name: expected[name] for name in sorted(expected) if name in actual}
    there = {name: _like(wanted[name], actual[name]) for name in wanted}
    if "Tags" in wanted or "Tags" in actual:
        given = pairs(wanted.get("Tags"))
        found = Whole(
            {
                key: value
                for key, value in pairs(actual.get("Tags")).items()
                if key in given or not (key.startswith("aws:") or key in own_tags)
            }
        )
        if given or found:
            wanted["Tags"], there["Tags"] = _tags(given), _tags(found)
    differences = [
        each for name in wanted for each in _differ(f"/{name}", wanted[name], there[name])
    ]
    return wanted, {name: each for name, each in there.items() if each is not None}, differences


def _tags(tags: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _like(wanted: Any, there: Any) -> Any:
    """Return what there is in the form of what is wanted: without members it does not have."""
    if isinstance(wanted, str) and isinstance(there, dict | list):
        return json.dumps(there, separators=(",", ":"))
    if isinstance(wanted, dict) and isinstance(there, dict):
        names = there if isinstance(there, Whole) else [name for name in wanted if name in there]
        return {
            name: _like(wanted[name], there[name]) if name in wanted else there[name]
            for name in names
        }
    if isinstance(wanted, list) and isinstance(there, list):
        there = _in_order(wanted, there)
        return [
            _like(wanted[index], each) if index < len(wanted) else each
            for index, each in enumerate(there)
        ]
    return there


def _key(value: Any) -> str:
    for name in ("Id", "Key", "IndexName", "AttributeName", "PolicyName"):
        if isinstance(value, dict) and name in value:
            return str(value[name])
    return value if isinstance(value, str) else ""


def _in_order(wanted: list[Any], there: list[Any]) -> list[Any]:
    """Return a list in the order of another: services keep none of names, ids and keys."""
    places = {_key(each): index for index, each in enumerate(wanted)}
    return sorted(there, key=lambda each: places.get(_key(each), len(wanted)))


def _same(wanted: Any, there: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(there, dict):
        return wanted.keys() == there.keys() and all(
            _same(wanted[name], there[name]) for name in wanted
        )
    if isinstance(wanted, list) and isinstance(there, list):
        return len(wanted) == len(there) and all(map(_same, wanted, there))
    return _text(wanted) == _text(there)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    if isinstance(value, str) and value[:1] in "{[" and value:
        try:
            return json.dumps(json.loads(value))
        except ValueError:
            return value
    return "" if value is None else str(value)


def _differ(path: str, wanted: Any, there: Any) -> Iterator[Difference]:
    if isinstance(wanted, dict) and isinstance(there, dict):
        for name in sorted({*wanted, *there}):
            yield from _members(f"{path}/{name}", wanted, there, name)
    elif isinstance(wanted, list) and isinstance(there, list):
        for index in range(max(len(wanted), len(there))):
            one, other = dict(enumerate(wanted)), dict(enumerate(there))
            yield from _members(f"{path}/{index}", one, other, index)
    elif not _same(wanted, there):
        kind = "REMOVE" if there is None else "NOT_EQUAL"
        yield _difference(path, wanted, there, kind)


def _members(
    path: str, wanted: Mapping[Any, Any], there: Mapping[Any, Any], name: Any
) -> Iterator[Difference]:
    if name not in there:
        yield _difference(path, wanted[name], None, "REMOVE")
    elif name not in wanted:
        yield _difference(path, None, there[name], "ADD")
    else:
        yield from _differ(path, wanted[name], there[name])


def _difference(path: str, wanted: Any, there: Any, kind: str) -> Difference:
    return {
        "PropertyPath": path,
        "ExpectedValue": "null" if wanted is None else _text(wanted),
        "ActualValue": "null" if there is None else _text(there),
        "DifferenceType": kind,
    }
