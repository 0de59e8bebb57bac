"""Updates of an item, as they are once parsed: all of them see the item as it was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lambdad.neighbours.dynamodb import numbers
from lambdad.neighbours.dynamodb.errors import ValidationException
from lambdad.neighbours.dynamodb.expressions.conditions import Attribute
from lambdad.neighbours.dynamodb.expressions.paths import Path, follow
from lambdad.neighbours.dynamodb.values import Item, Value, kind_of, set_of


class Term(Protocol):
    """What SET sets."""

    def resolve(self, item: Mapping[str, Value]) -> Value | None:
        """Return its value for an item, or None."""
        ...


class Action(Protocol):
    """One action of an update."""

    @property
    def path(self) -> Path:
        """What it changes."""
        ...

    def value(self, item: Mapping[str, Value]) -> Value | None:
        """Return what is to be at the path; None if nothing."""
        ...


def _needed(term: Term, item: Mapping[str, Value]) -> Value:
    value = term.resolve(item)
    if value is None:
        raise ValidationException(
            "The provided expression refers to an attribute that does not exist in the item"
        )
    return value


def _wrong_type() -> ValidationException:
    return ValidationException("An operand in the update expression has an incorrect data type")


@dataclass(frozen=True, slots=True)
class IfNotExists:
    """What is at a path, or else something."""

    attribute: Attribute
    otherwise: Term

    def resolve(self, item: Mapping[str, Value]) -> Value | None:
        """See `Term`."""
        value = self.attribute.resolve(item)
        return self.otherwise.resolve(item) if value is None else value


@dataclass(frozen=True, slots=True)
class Appended:
    """Two lists, one behind the other."""

    first: Term
    second: Term

    def resolve(self, item: Mapping[str, Value]) -> Value | None:
        """See `Term`."""
        first, second = _needed(self.first, item), _needed(self.second, item)
        if "L" not in first or "L" not in second:
            raise _wrong_type()
        return {"L": [*first["L"], *second["L"]]}


@dataclass(frozen=True, slots=True)
class Sum:
    """Two numbers, added or subtracted."""

    left: Term
    right: Term
    subtract: bool

    def resolve(self, item: Mapping[str, Value]) -> Value | None:
        """See `Term`."""
        left, right = _needed(self.left, item), _needed(self.right, item)
        if "N" not in left or "N" not in right:
            raise _wrong_type()
        compute = numbers.subtract if self.subtract else numbers.add
        return {"N": compute(left["N"], right["N"])}


@dataclass(frozen=True, slots=True)
class Set:
    """Puts something at a path."""

    path: Path
    term: Term

    def value(self, item: Mapping[str, Value]) -> Value | None:
        """See `Action`."""
        return _needed(self.term, item)


@dataclass(frozen=True, slots=True)
class Remove:
    """Removes what is at a path."""

    path: Path

    def value(self, item: Mapping[str, Value]) -> Value | None:
        """See `Action`."""
        return None


@dataclass(frozen=True, slots=True)
class Add:
    """Adds to a number, or members to a set."""

    path: Path
    amount: Value

    def value(self, item: Mapping[str, Value]) -> Value | None:
        """See `Action`."""
        before = follow(item, self.path)
        if before is None:
            return self.amount
        kind = kind_of(self.amount)
        if kind_of(before) != kind:
            raise _wrong_type()
        if kind == "N":
            return {"N": numbers.add(before["N"], self.amount["N"])}
        return set_of(kind, list({*before[kind], *self.amount[kind]}))


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes members from a set; an empty set is removed itself."""

    path: Path
    members: Value

    def value(self, item: Mapping[str, Value]) -> Value | None:
        """See `Action`."""
        before = follow(item, self.path)
        if before is None:
            return None
        kind = kind_of(self.members)
        if kind_of(before) != kind:
            raise _wrong_type()
        left = set(before[kind]) - set(self.members[kind])
        return set_of(kind, list(left)) if left else None


@dataclass(frozen=True, slots=True)
class Update:
    """Several actions at once."""

    actions: tuple[Action, ...]

    @property
    def paths(self) -> list[Path]:
        """What it changes."""
        return [action.path for action in self.actions]

    def applied(self, item: Mapping[str, Value]) -> Item:
        """Return an item as it is afterwards; the given one is left alone.

        Raises:
            ValidationException: an operand is missing or of the wrong type, or a path leads
                nowhere.
        """
        results = [(action, action.value(item)) for action in self.actions]
        changed: Item = {name: _copied(value) for name, value in item.items()}
        for action, value in sorted(results, key=_order):
            # Of a set that is not there, nothing can be deleted.
            if isinstance(action, Delete) and follow(item, action.path) is None:
                _holder(changed, action.path)
            elif value is None:
                _remove(changed, action.path)
            else:
                _put(changed, action.path, value)
        return changed


def _order(result: tuple[Action, Value | None]) -> tuple[bool, int]:
    """Elements are removed last and from the back, so that indexes mean what they meant."""
    action, value = result
    last = action.path[-1]
    index = last if isinstance(last, int) else 0
    return value is None, -index if value is None else index


def _copied(value: Value) -> Value:
    ((kind, content),) = value.items()
    if kind == "M":
        return {"M": {name: _copied(each) for name, each in content.items()}}
    return {"L": [_copied(each) for each in content]} if kind == "L" else value


def _holder(item: Item, path: Path) -> Any:
    """Return the item, map entries or list that holds the end of a path."""
    if len(path) == 1:
        return item
    parent = follow(item, path[:-1])
    content = None if parent is None else parent.get("L" if isinstance(path[-1], int) else "M")
    if content is None:
        raise ValidationException(
            "The document path provided in the update expression is invalid for update"
        )
    return content


def _put(item: Item, path: Path, value: Value) -> None:
    holder, last = _holder(item, path), path[-1]
    if isinstance(last, int) and last >= len(holder):
        holder.append(value)
    else:
        holder[last] = value


def _remove(item: Item, path: Path) -> None:
    holder, last = _holder(item, path), path[-1]
    if isinstance(last, str):
        holder.pop(last, None)
    elif last < len(holder):
        del holder[last]
