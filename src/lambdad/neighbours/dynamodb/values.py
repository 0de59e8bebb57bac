"""Attribute values: read from requests, compared, measured, stored.

A value is a dictionary of one type and its value, `{"N": "1"}`, as on the wire, blobs as bytes.
Once read, numbers are canonical and sets sorted, so that equal values are equal dictionaries.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from lambdad.neighbours.dynamodb import numbers
from lambdad.neighbours.dynamodb.errors import ValidationException, invalid

Value = dict[str, Any]
Item = dict[str, Value]

ITEM_MAX = 400 * 1024
_DEPTH_MAX = 32
_CONTAINER = 3
_SETS = {"SS": "string set", "NS": "number set", "BS": "binary set"}
TYPES = ("S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M")


def read_item(item: Mapping[str, Any]) -> Item:
    """Return an item with every value read; raises like :func:`read`."""
    if "" in item:
        raise invalid("Attribute name must not be empty")
    return {name: read(value) for name, value in item.items()}


def read(value: Mapping[str, Any] | None, depth: int = 0) -> Value:
    """Return a value in its canonical form.

    Raises:
        ValidationException: it is none.
    """
    if not value:
        raise ValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        )
    if len(value) > 1:
        raise ValidationException(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes"
        )
    if depth > _DEPTH_MAX:
        raise ValidationException("Nesting Levels have exceeded supported limits")
    ((kind, content),) = value.items()
    if kind == "N":
        return {"N": numbers.canonical(content)}
    if kind in _SETS:
        return _read_set(kind, content)
    if kind == "L":
        return {"L": [read(each, depth + 1) for each in content]}
    if kind == "M":
        return {"M": {name: read(each, depth + 1) for name, each in content.items()}}
    if kind == "NULL" and content is not True:
        raise invalid("Null attribute value types must have the value of true")
    return {kind: content}


def _read_set(kind: str, members: list[Any]) -> Value:
    if not members:
        raise invalid(f"An {_SETS[kind]}  may not be empty")
    if any(member is None for member in members):
        raise invalid(f"An {_SETS[kind]} may not have a null value as a member")
    if kind == "NS":
        members = [numbers.canonical(member) for member in members]
    if len(set(members)) != len(members):
        shown = ", ".join(str(each) for each in members)
        noun = "Input collection [" + shown + "]"
        raise invalid(f"{noun} contains duplicates.")
    return set_of(kind, members)


def set_of(kind: str, members: list[Any]) -> Value:
    """Return a set in its canonical form."""
    return {kind: sorted(members, key=Decimal) if kind == "NS" else sorted(members)}


def kind_of(value: Value) -> str:
    """Return a value's type, `S` for example."""
    return next(iter(value))


def comparable(value: Value) -> Any:
    """Return what a value is ordered by among those of its type; None if it has no order."""
    ((kind, content),) = value.items()
    if kind in ("S", "B"):
        return content
    return Decimal(content) if kind == "N" else None


def item_size(item: Mapping[str, Value]) -> int:
    """Bytes that an item counts: names and values."""
    return sum(len(name.encode()) + size(value) for name, value in item.items())


def size(value: Value) -> int:
    """Bytes that a value counts."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content) if content.isascii() else len(content.encode())
    if kind in ("N", "B"):
        return numbers.size(content) if kind == "N" else len(content)
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "M":
        return _CONTAINER + item_size(content) + len(content)
    if kind == "L":
        return _CONTAINER + sum(size(each) + 1 for each in content)
    return sum(size({kind[0]: member}) for member in content)


def dump(item: Mapping[str, Value]) -> str:
    """Return an item as it is stored."""
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False, default=_dump_bytes)


def load(text: str) -> Item:
    """Return a stored item."""
    has_bytes = '"B":"' in text or '"BS":[' in text
    item: Item = json.loads(text, object_hook=_load_bytes if has_bytes else None)
    return item


def _dump_bytes(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _load_bytes(node: dict[str, Any]) -> dict[str, Any]:
    """Turn the text of binary values into bytes; an attribute named `B` is no text but a value."""
    if len(node) == 1:
        content = node.get("B")
        if isinstance(content, str):
            return {"B": base64.b64decode(content)}
        content = node.get("BS")
        if isinstance(content, list):
            return {"BS": [base64.b64decode(each) for each in content]}
    return node
