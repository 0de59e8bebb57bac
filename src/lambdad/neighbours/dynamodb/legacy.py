"""The parameters that expressions have replaced, as conditions, updates and paths.

`Expected`, `AttributeUpdates`, `KeyConditions`, `QueryFilter`, `ScanFilter` and `AttributesToGet`
mean the same as some expression; this module finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.expressions.conditions import (
    All,
    Attribute,
    BeginsWith,
    Between,
    Comparison,
    Condition,
    Contains,
    Either,
    Exists,
    In,
    Literal,
    Not,
)
from lambdad.neighbours.dynamodb.expressions.updates import Action, Add, Delete, Remove, Set, Update
from lambdad.neighbours.dynamodb.values import Value, kind_of, read

_SIGNS = {"EQ": "=", "NE": "<>", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}
Maker = Callable[[Attribute, Sequence[Literal]], Condition]
_MAKERS: Mapping[str, tuple[int, Maker]] = {
    "NOT_NULL": (0, lambda at, _: Exists(at, wanted=True)),
    "NULL": (0, lambda at, _: Exists(at, wanted=False)),
    "CONTAINS": (1, lambda at, given: Contains(at, given[0])),
    "NOT_CONTAINS": (1, lambda at, given: All((Exists(at, True), Not(Contains(at, given[0]))))),
    "BEGINS_WITH": (1, lambda at, given: BeginsWith(at, given[0])),
    "BETWEEN": (2, lambda at, given: Between(at, given[0], given[1])),
}


def condition_of(
    filters: Mapping[str, Mapping[str, Any]], operator: str | None = None
) -> Condition | None:
    """Return what `KeyConditions`, a filter or `Expected` demands; `operator` is AND or OR.

    Raises:
        ValidationException: it cannot be understood.
    """
    found = [_condition(name, given) for name, given in filters.items()]
    if not found:
        return None
    return Either(tuple(found)) if operator == "OR" else All(tuple(found))


def _condition(name: str, given: Mapping[str, Any]) -> Condition:
    at = Attribute((name,))
    operator = given.get("ComparisonOperator")
    if operator is None:
        return _expected(name, at, given)
    if "Exists" in given or "Value" in given:
        raise invalid(
            "Exists and Value cannot be used with ComparisonOperator for Attribute: " + name
            if "Exists" in given
            else f"Value and AttributeValueList cannot be used together for Attribute: {name}"
        )
    values = [Literal(read(value)) for value in given.get("AttributeValueList") or ()]
    if operator == "IN" and values:
        return In(at, tuple(values))
    count, maker = _MAKERS.get(operator, (1, None))
    if len(values) != count:
        raise invalid(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    return maker(at, values) if maker else Comparison(_SIGNS[operator], at, values[0])


def _expected(name: str, at: Attribute, given: Mapping[str, Any]) -> Condition:
    value, exists = given.get("Value"), given.get("Exists", True)
    if exists and value is None:
        raise invalid(f"Value must be provided when Exists is true for Attribute: {name}")
    if not exists and value is not None:
        raise invalid(f"Value cannot be used when Exists is false for Attribute: {name}")
    return Comparison("=", at, Literal(read(value))) if exists else Exists(at, wanted=False)


def update_of(updates: Mapping[str, Mapping[str, Any]]) -> Update:
    """Return what `AttributeUpdates` does."""
    return Update(tuple(_action(name, given) for name, given in updates.items()))


def _action(name: str, given: Mapping[str, Any]) -> Action:
    action, raw = given.get("Action", "PUT"), given.get("Value")
    if raw is None:
        if action != "DELETE":
            raise invalid("Only DELETE action is allowed when no attribute value is specified")
        return Remove((name,))
    value: Value = read(raw)
    kind = kind_of(value)
    if action == "PUT":
        return Set((name,), Literal(value))
    if action == "ADD":
        if kind not in ("N", "SS", "NS", "BS"):
            raise ValidationException(f"ADD action is not supported for the type {kind}")
        return Add((name,), value)
    if kind not in ("SS", "NS", "BS"):
        raise ValidationException(f"DELETE action with value is not supported for the type {kind}")
    return Delete((name,), value)
