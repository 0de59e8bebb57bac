"""Expressions a second time, as simply as they can be said: the judge of the real ones.

A condition is a nested tuple; `text_of` writes it as an expression, `meets` decides it on plain
Python values. Nothing of lambdad's is used.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

MISSING = object()


def plain(value: dict[str, Any]) -> Any:
    """A value of DynamoDB's as (type, Python value)."""
    ((kind, content),) = value.items()
    if kind == "N":
        return (kind, Decimal(content))
    if kind == "L":
        return (kind, tuple(plain(each) for each in content))
    if kind == "M":
        return (kind, frozenset((name, plain(each)) for name, each in content.items()))
    if kind == "NS":
        return (kind, frozenset(Decimal(each) for each in content))
    if kind in ("SS", "BS"):
        return (kind, frozenset(content))
    return (kind, content)


def at(item: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    here: Any = {"M": item}
    for step in path:
        try:
            here = here["M"][step] if isinstance(step, str) else here["L"][step]
        except (KeyError, IndexError):
            return MISSING
    return plain(here)


class Writer:
    """Writes a condition with a placeholder for each name and value."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def path(self, path: tuple[str | int, ...]) -> str:
        text = ""
        for step in path:
            if isinstance(step, int):
                text += f"[{step}]"
            else:
                self.names[f"#{step}"] = step
                text += ("." if text else "") + f"#{step}"
        return text

    def operand(self, operand: tuple[Any, ...]) -> str:
        if operand[0] == "path":
            return self.path(operand[1])
        if operand[0] == "size":
            return f"size({self.path(operand[1])})"
        key = f":v{len(self.values)}"
        self.values[key] = operand[1]
        return key

    def condition(self, node: tuple[Any, ...]) -> str:  # noqa: PLR0911 - one for each kind
        kind, *rest = node
        if kind in ("AND", "OR"):
            return "(" + f" {kind} ".join(self.condition(each) for each in rest[0]) + ")"
        if kind == "NOT":
            return f"NOT {self.condition(rest[0])}"
        if kind == "compare":
            sign, left, right = rest
            return f"{self.operand(left)} {sign} {self.operand(right)}"
        if kind == "between":
            value, low, high = (self.operand(each) for each in rest)
            return f"{value} BETWEEN {low} AND {high}"
        if kind == "in":
            options = ", ".join(self.operand(each) for each in rest[1])
            return f"{self.operand(rest[0])} IN ({options})"
        if kind in ("attribute_exists", "attribute_not_exists"):
            return f"{kind}({self.path(rest[0])})"
        if kind == "attribute_type":
            self.values[":type"] = {"S": rest[1]}
            return f"{kind}({self.path(rest[0])}, :type)"
        return f"{kind}({self.path(rest[0])}, {self.operand(rest[1])})"


def resolve(item: dict[str, Any], operand: tuple[Any, ...]) -> Any:
    if operand[0] == "path":
        return at(item, operand[1])
    if operand[0] == "value":
        return plain(operand[1])
    found = at(item, operand[1])
    if found is MISSING or found[0] in ("N", "BOOL", "NULL"):
        return MISSING
    return ("N", Decimal(len(found[1])))


def compare(sign: str, left: Any, right: Any) -> bool:
    if sign == "<>":
        return not compare("=", left, right)
    if left is MISSING or right is MISSING or left[0] != right[0]:
        return False
    if sign == "=":
        return bool(left == right)
    if left[0] not in ("S", "N", "B"):
        return False
    results = {
        "<": left[1] < right[1],
        "<=": left[1] <= right[1],
        ">": left[1] > right[1],
        ">=": left[1] >= right[1],
    }
    return bool(results[sign])


def meets(item: dict[str, Any], node: tuple[Any, ...]) -> bool:  # noqa: C901, PLR0911 - as plain
    kind, *rest = node
    if kind == "AND":
        return all(meets(item, each) for each in rest[0])
    if kind == "OR":
        return any(meets(item, each) for each in rest[0])
    if kind == "NOT":
        return not meets(item, rest[0])
    if kind == "compare":
        return compare(rest[0], resolve(item, rest[1]), resolve(item, rest[2]))
    if kind == "between":
        value, low, high = (resolve(item, each) for each in rest)
        return compare(">=", value, low) and compare("<=", value, high)
    if kind == "in":
        value = resolve(item, rest[0])
        return any(compare("=", value, resolve(item, each)) for each in rest[1])
    found = at(item, rest[0])
    if kind.endswith("exists"):
        return (found is not MISSING) is (kind == "attribute_exists")
    if found is MISSING:
        return False
    if kind == "attribute_type":
        return bool(found[0] == rest[1])
    part = resolve(item, rest[1])
    if kind == "begins_with":
        same = found[0] == part[0] and found[0] in ("S", "B")
        return same and found[1][: len(part[1])] == part[1]
    if found[0] == "L":
        return part in found[1]
    if found[0] in ("SS", "NS", "BS"):
        return part[0] == found[0][0] and part[1] in found[1]
    return found[0] in ("S", "B") and part[0] == found[0] and part[1] in found[1]
