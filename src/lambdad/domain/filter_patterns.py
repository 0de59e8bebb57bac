"""Filter patterns of event source mappings: which texts are patterns. Pure.

The language is that of EventBridge's event patterns. Whether an event matches is decided where
events are filtered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_DEPTH_MAX = 50
_EXCLUSIONS = frozenset({"equals-ignore-case", "prefix", "suffix"})
_COMPARISONS = frozenset({"=", "<", "<=", ">", ">="})


class InvalidPattern(ValueError):
    """The text is no filter pattern."""


def parse_pattern(text: str) -> Mapping[str, Any]:
    """Return a pattern as JSON values.

    Raises:
        InvalidPattern: it is no JSON object, a leaf is no list, or an operator is unknown.
    """
    try:
        pattern = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPattern(str(error)) from error
    if not isinstance(pattern, dict):
        raise InvalidPattern("a pattern is a JSON object")
    _check_object(pattern, 0)
    return pattern


def _check_object(pattern: Mapping[str, Any], depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise InvalidPattern("a pattern is nested too deep")
    for name, value in pattern.items():
        if name == "$or":
            _check_alternatives(value, depth)
        elif isinstance(value, dict):
            _check_object(value, depth + 1)
        elif isinstance(value, list) and value:
            for leaf in value:
                _check_leaf(leaf)
        else:
            raise InvalidPattern(f"{name} is neither an object nor a list with elements")


def _check_alternatives(value: Any, depth: int) -> None:
    if not isinstance(value, list) or not value:
        raise InvalidPattern("$or takes a list with elements")
    for alternative in value:
        if not isinstance(alternative, dict):
            raise InvalidPattern("the elements of $or are objects")
        _check_object(alternative, depth + 1)


def _check_leaf(leaf: Any) -> None:
    if leaf is None or isinstance(leaf, str | int | float):
        return
    if not isinstance(leaf, dict) or len(leaf) != 1:
        raise InvalidPattern("an element is a plain value or an object with one operator")
    [(operator, operand)] = leaf.items()
    fits = _OPERANDS.get(operator)
    if fits is None or not fits(operand):
        raise InvalidPattern(f"{operator} is no operator or does not take this operand")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_caseless(value: Any) -> bool:
    if isinstance(value, dict):
        return list(value) == ["equals-ignore-case"] and _is_text(value["equals-ignore-case"])
    return _is_text(value)


def _is_exclusion(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value) == 1 and all(
            operator in _EXCLUSIONS and _is_text(operand) for operator, operand in value.items()
        )
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(_is_text(each) or _is_number(each) for each in values)


def _is_range(value: Any) -> bool:
    if not isinstance(value, list) or len(value) not in (2, 4):
        return False
    pairs = list(zip(value[::2], value[1::2], strict=True))
    if not all(
        _is_text(comparison) and comparison in _COMPARISONS and _is_number(bound)
        for comparison, bound in pairs
    ):
        return False
    if len(pairs) == 1:
        return True
    (lower, low), (upper, high) = pairs
    return str(lower)[0] == ">" and str(upper)[0] == "<" and bool(low < high)


_OPERANDS: Mapping[str, Callable[[Any], bool]] = {
    "prefix": _is_text_or_caseless,
    "suffix": _is_text_or_caseless,
    "equals-ignore-case": _is_text,
    "anything-but": _is_exclusion,
    "numeric": _is_range,
    "exists": lambda value: isinstance(value, bool),
}
