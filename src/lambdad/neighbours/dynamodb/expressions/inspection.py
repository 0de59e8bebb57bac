"""Which attributes a condition looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from lambdad.neighbours.dynamodb.expressions.conditions import Attribute, Condition


def attributes_of(condition: Condition) -> Iterator[str]:
    """Return the names of the attributes that a condition looks at, or looks into."""
    yield from _attributes(condition)


def _attributes(node: object) -> Iterator[str]:
    if isinstance(node, Attribute):
        yield str(node.path[0])
    elif isinstance(node, tuple):
        for each in node:
            yield from _attributes(each)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _attributes(getattr(node, each.name))
