"""Conditions on an item, as they are once parsed: each knows whether an item meets it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lambdad.neighbours.dynamodb.expressions.paths import Path, follow
from lambdad.neighbours.dynamodb.values import Value, comparable, kind_of

Order = Callable[[Any, Any], bool]
ORDERS: Mapping[str, Order] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Operand(Protocol):
    """What a condition compares."""

    def resolve(self, item: Mapping[str, Value]) -> Value | None:
        """Return its value for an item, or None."""
        ...


class Condition(Protocol):
    """What an item meets or not."""

    def holds(self, item: Mapping[str, Value]) -> bool:
        """Whether the item meets it; an item that is not there has no attributes."""
        ...


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a path leads to."""

    path: Path

    def resolve(self, item: Mapping[str, Value]) -> Value | None:
        """See `Operand`."""
        return follow(item, self.path)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value of the request."""

    value: Value

    def resolve(self, item: Mapping[str, Value]) -> Value | None:
        """See `Operand`."""
        return self.value


@dataclass(frozen=True, slots=True)
class Size:
    """How long a text or binary is, or how many members a set, list or map has."""

    of: Operand

    def resolve(self, item: Mapping[str, Value]) -> Value | None:
        """See `Operand`."""
        value = self.of.resolve(item)
        if value is None:
            return None
        ((kind, content),) = value.items()
        return None if kind in ("N", "BOOL", "NULL") else {"N": str(len(content))}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`=`, `<>` or an order; whatever is missing equals nothing and has no order."""

    sign: str
    left: Operand
    right: Operand

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        left, right = self.left.resolve(item), self.right.resolve(item)
        if self.sign == "<>":
            return left is None or right is None or left != right
        if left is None or right is None:
            return False
        return left == right if self.sign == "=" else ordered(left, self.sign, right)


def ordered(left: Value, sign: str, right: Value) -> bool:
    """Whether two values of a type stand in an order."""
    if kind_of(left) != kind_of(right):
        return False
    one, other = comparable(left), comparable(right)
    return one is not None and ORDERS[sign](one, other)


@dataclass(frozen=True, slots=True)
class Between:
    """Whether a value lies between two others, ends included."""

    operand: Operand
    low: Operand
    high: Operand

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        value, low, high = (each.resolve(item) for each in (self.operand, self.low, self.high))
        if value is None or low is None or high is None:
            return False
        return ordered(value, ">=", low) and ordered(value, "<=", high)


@dataclass(frozen=True, slots=True)
class In:
    """Whether a value is one of several."""

    operand: Operand
    options: tuple[Operand, ...]

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        value = self.operand.resolve(item)
        return value is not None and any(value == each.resolve(item) for each in self.options)


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether there is something at a path, or nothing."""

    operand: Operand
    wanted: bool

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        return (self.operand.resolve(item) is not None) is self.wanted


@dataclass(frozen=True, slots=True)
class HasType:
    """Whether what a path leads to has a type."""

    operand: Operand
    kind: str

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        value = self.operand.resolve(item)
        return value is not None and kind_of(value) == self.kind


@dataclass(frozen=True, slots=True)
class BeginsWith:
    """Whether a text or binary begins with another."""

    operand: Operand
    prefix: Operand

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        value, prefix = self.operand.resolve(item), self.prefix.resolve(item)
        if value is None or prefix is None or kind_of(value) != kind_of(prefix):
            return False
        kind = kind_of(value)
        return kind in ("S", "B") and value[kind].startswith(prefix[kind])


@dataclass(frozen=True, slots=True)
class Contains:
    """Whether a text or binary has a part, or a set or list a member."""

    operand: Operand
    part: Operand

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        value, part = self.operand.resolve(item), self.part.resolve(item)
        if value is None or part is None:
            return False
        kind, sought = kind_of(value), kind_of(part)
        if kind == "L":
            return part in value["L"]
        if kind in ("S", "B"):
            return sought == kind and part[sought] in value[kind]
        return kind == sought + "S" and part[sought] in value[kind]


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    condition: Condition

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        return not self.condition.holds(item)


@dataclass(frozen=True, slots=True)
class All:
    """Every one of several."""

    conditions: tuple[Condition, ...]

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        return all(each.holds(item) for each in self.conditions)


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    conditions: tuple[Condition, ...]

    def holds(self, item: Mapping[str, Value]) -> bool:
        """See `Condition`."""
        return any(each.holds(item) for each in self.conditions)
