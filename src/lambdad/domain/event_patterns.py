"""Whether an event matches a pattern of EventBridge's language. Pure.

Decides matching alone; which texts are patterns, and which operators a service admits, is for
`filter_patterns` and the services to say. A pattern is an object whose fields must all match; a
field has a list of which one must match, or an object that describes the field's own object. What
is a list in the event matches if one of its elements does, and an empty list is like no field.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

_MISSING: Any = object()

Pattern = Mapping[str, Any]

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(pattern: Pattern, event: Any) -> bool:
    """Whether an event, as JSON values, matches a pattern, as JSON values."""
    return _object(pattern, event)


def _object(pattern: Pattern, event: Any) -> bool:
    for name, wanted in pattern.items():
        if name == "$or" and isinstance(wanted, list):
            if not any(_object(each, event) for each in wanted):
                return False
            continue
        value = event.get(name, _MISSING) if isinstance(event, Mapping) else _MISSING
        if not (_nested(wanted, value) if isinstance(wanted, Mapping) else _leaf(wanted, value)):
            return False
    return True


def _nested(pattern: Pattern, value: Any) -> bool:
    """One element of a list has to match as a whole."""
    if isinstance(value, list) and value:
        return any(_nested(pattern, element) for element in value)
    # What is no object has no fields, which may be just what the pattern wants.
    return _object(pattern, value)


def _leaf(wanted: Sequence[Any], value: Any) -> bool:
    candidates = tuple(_scalars(value))
    return any(_matches_any(each, candidates) for each in wanted)


def _scalars(value: Any) -> Iterator[Any]:
    """The values of a leaf: none for what is missing, empty, or an object."""
    if isinstance(value, list):
        for element in value:
            yield from _scalars(element)
    elif value is not _MISSING and not isinstance(value, Mapping):
        yield value


def _matches_any(wanted: Any, candidates: Sequence[Any]) -> bool:
    if not isinstance(wanted, Mapping):
        return any(_equal(wanted, candidate) for candidate in candidates)
    [(name, operand)] = wanted.items()
    if name == "exists":
        return bool(candidates) is operand
    test = _TESTS[name]
    return any(test(operand, candidate) for candidate in candidates)


def _equal(wanted: Any, value: Any) -> bool:
    """Numbers are equal if they are written alike: 300 is not 300.0."""
    return type(wanted) is type(value) and bool(wanted == value)


def _affix(has: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def test(operand: Any, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(operand, Mapping):
            return has(value.casefold(), str(operand["equals-ignore-case"]).casefold())
        return has(value, operand)

    return test


def _caseless(operand: Any, value: Any) -> bool:
    return isinstance(value, str) and value.casefold() == operand.casefold()


def _anything_but(operand: Any, value: Any) -> bool:
    if isinstance(operand, Mapping):
        [(name, inner)] = operand.items()
        excluded = inner if isinstance(inner, list) else [inner]
        return not any(_TESTS[name](each, value) for each in excluded)
    excluded = operand if isinstance(operand, list) else [operand]
    return not any(_equal(each, value) for each in excluded)


def _numeric(operand: Sequence[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARISONS[name](value, bound) for name, bound in pairs)


def _cidr(operand: str, value: Any) -> bool:
    try:
        return isinstance(value, str) and ipaddress.ip_address(value) in _network(operand)
    except ValueError:
        return False


@lru_cache(1_024)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def _wildcard(operand: str, value: Any) -> bool:
    return isinstance(value, str) and _fits(wildcard_pieces(operand), value)


@lru_cache(1_024)
def wildcard_pieces(text: str) -> tuple[str, ...]:
    r"""Return the literal texts between the asterisks of a wildcard; `\*` and `\\` are literal."""
    pieces = [""]
    for token in re.findall(r"\\[*\\]|.", text, re.DOTALL):
        if token == "*":  # noqa: S105 - no password
            pieces.append("")
        else:
            pieces[-1] += token[-1]
    return tuple(pieces)


def _fits(pieces: Sequence[str], value: str) -> bool:
    """Take each piece at its first place; a regular expression would try them all."""
    first, *rest = pieces
    if not rest:
        return value == first
    if not value.startswith(first):
        return False
    *middle, last = rest
    position = len(first)
    for piece in middle:
        found = value.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    return len(value) - position >= len(last) and value.endswith(last)


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _caseless,
    "numeric": _numeric,
    "prefix": _affix(str.startswith),
    "suffix": _affix(str.endswith),
    "wildcard": _wildcard,
}
