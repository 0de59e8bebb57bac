"""Which texts are event patterns, as EventBridge and SNS take them. Pure.

Whether an event matches is decided in `lambdad.domain.event_patterns`.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Pattern = Mapping[str, Any]

_COMPARISONS = ("=", "<", "<=", ">", ">=")
_NUMBERS_MAX = 5e9
# A matcher walks down as deep.
_DEPTH_MAX = 100
_CONSECUTIVE = re.compile(r"(?:[^\\]|\\.)*?\*\*", re.DOTALL)
_BAD_ESCAPE = re.compile(r"(?:[^\\]|\\[*\\])*\\(?![*\\])", re.DOTALL)


class InvalidPattern(ValueError):
    """The text is no pattern; says why, in the words that AWS uses."""


def parse(text: str) -> Pattern:
    """Return a pattern as JSON values.

    Raises:
        InvalidPattern: it is none.
    """
    try:
        pattern = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPattern(f"Invalid JSON: {error}") from error
    check(pattern)
    return dict(pattern)


def check(pattern: Any) -> None:
    """Hold JSON values to the language of patterns.

    Raises:
        InvalidPattern: they are no pattern.
    """
    if not isinstance(pattern, dict):
        raise InvalidPattern("Filter is not an object")
    _check_object(pattern, 0)


def _check_object(pattern: Mapping[str, Any], depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise InvalidPattern("Rule is too complex - try using fewer levels")
    if not pattern:
        raise InvalidPattern("Empty objects are not allowed")
    for name, value in pattern.items():
        if isinstance(value, dict):
            _check_object(value, depth + 1)
        elif name == "$or":
            if not _is_alternatives(value):
                raise InvalidPattern("$or must be an array of two or more objects")
            for alternative in value:
                _check_object(alternative, depth + 1)
        else:
            _check_values(name, value)


def _check_values(name: str, value: Any) -> None:
    if not isinstance(value, list):
        raise InvalidPattern(f'"{name}" must be an object or an array')
    if not value:
        raise InvalidPattern("Empty arrays are not allowed")
    for leaf in value:
        _check_leaf(leaf)


def _is_alternatives(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) > 1 and all(isinstance(each, dict) for each in value)
    )


def _check_leaf(leaf: Any) -> None:
    if isinstance(leaf, list):
        raise InvalidPattern("Match value must be String, number, true, false, or null")
    if not isinstance(leaf, dict):
        return
    if len(leaf) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    [(operator, operand)] = leaf.items()
    test = _OPERATORS.get(operator)
    if test is None:
        raise InvalidPattern(f"Unrecognized match type {operator}")
    test(operator, operand)


def _check_text(operator: str, operand: Any) -> None:
    if not isinstance(operand, str):
        raise InvalidPattern(f"{operator} match pattern must be a string")


def _check_affix(operator: str, operand: Any) -> None:
    if isinstance(operand, dict):
        if list(operand) != ["equals-ignore-case"]:
            raise InvalidPattern(f"Unsupported anything-but pattern: {next(iter(operand), '')}")
        operand = operand["equals-ignore-case"]
    _check_text(operator, operand)


def _check_wildcard(operator: str, operand: Any) -> None:
    _check_text(operator, operand)
    if match := _CONSECUTIVE.match(operand):
        raise InvalidPattern(f"Consecutive wildcard characters at pos {match.end() - 2}")
    if match := _BAD_ESCAPE.match(operand):
        raise InvalidPattern(f"Invalid escape character at pos {match.end() - 1}")


def _check_cidr(operator: str, operand: Any) -> None:
    if not isinstance(operand, str):
        raise InvalidPattern("CIDR match pattern must be a string")
    if operand.count("/") > 1:
        raise InvalidPattern("Malformed CIDR, one '/' required")
    try:
        ipaddress.ip_network(operand, strict=False)
    except ValueError as error:
        raise InvalidPattern(f"Malformed CIDR: {error}") from error


def _check_exists(operator: str, operand: Any) -> None:
    if not isinstance(operand, bool):
        raise InvalidPattern("exists match pattern must be either true or false.")


def _check_numeric(operator: str, operand: Any) -> None:
    if not isinstance(operand, list):
        raise InvalidPattern("Value of numeric must be an array.")
    if len(operand) not in (2, 4):
        raise InvalidPattern(
            "Too many elements in numeric expression"
            if operand
            else "Invalid member in numeric match: ]"
        )
    pairs = list(zip(operand[::2], operand[1::2], strict=True))
    for comparison, bound in pairs:
        if not isinstance(comparison, str) or comparison not in _COMPARISONS:
            raise InvalidPattern(f"Unrecognized numeric range operator: {comparison}")
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise InvalidPattern(f"Value of {comparison} must be numeric")
        if abs(bound) > _NUMBERS_MAX:
            raise InvalidPattern("Value must be between -5.0E9 and 5.0E9, inclusive")
    if len(pairs) == 2:
        (lower, low), (upper, high) = pairs
        if lower[0] != ">" or upper[0] != "<":
            raise InvalidPattern(f"Bad numeric range operator: {upper}")
        if low >= high:
            raise InvalidPattern("Bottom must be less than top")


def _check_exclusion(operator: str, operand: Any) -> None:
    if not isinstance(operand, dict):
        values = operand if isinstance(operand, list) else [operand]
        if not values:
            raise InvalidPattern("Empty arrays are not allowed")
        for value in values:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise InvalidPattern(
                    "Inside anything but list, start|null|boolean is not supported."
                )
        if len({isinstance(value, str) for value in values}) > 1:
            raise InvalidPattern(
                "Inside anything but list, either all values are number or "
                "string, mixed type is not supported"
            )
        return
    if len(operand) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    [(inner, excluded)] = operand.items()
    test = _EXCLUSIONS.get(inner)
    if test is None:
        raise InvalidPattern(f"Unsupported anything-but pattern: {inner}")
    values = excluded if isinstance(excluded, list) else [excluded]
    if not values:
        raise InvalidPattern("Empty arrays are not allowed")
    for value in values:
        test(inner, value)


_EXCLUSIONS: Mapping[str, Callable[[str, Any], None]] = {
    "prefix": _check_text,
    "suffix": _check_text,
    "equals-ignore-case": _check_text,
    "wildcard": _check_wildcard,
}
_OPERATORS: Mapping[str, Callable[[str, Any], None]] = {
    "anything-but": _check_exclusion,
    "cidr": _check_cidr,
    "equals-ignore-case": _check_text,
    "exists": _check_exists,
    "numeric": _check_numeric,
    "prefix": _check_affix,
    "suffix": _check_affix,
    "wildcard": _check_wildcard,
}
