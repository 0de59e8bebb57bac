"""Conditions of policy statements: which operators there are, and whether one holds. Pure.

Decides as the IAM user guide describes it. Knows nothing of statements, principals or Lambda. An
operator that is not known here is refused when a policy is stored, not when it is asked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Context = Mapping[str, Sequence[str]]

_ARN_PARTS = 6
_IF_EXISTS = "IfExists"
_EVERY, _ANY = "ForAllValues:", "ForAnyValue:"

_Test = Callable[[str, str], bool]


@lru_cache(maxsize=4096)
def _wildcard(pattern: str) -> re.Pattern[str]:
    first, *middle = (
        "".join("." if part == "?" else re.escape(part) for part in piece)
        for piece in re.split(r"\*+", pattern)
    )
    if not middle:
        return re.compile(first, re.DOTALL)
    # SECURITY: each piece is where it comes first, for good: a pattern of many `*` is not tried in
    # all ways.
    found = "".join(f"(?>.*?{piece})" for piece in middle[:-1])
    return re.compile(f"{first}{found}.*{middle[-1]}", re.DOTALL)


def text_matches(pattern: str, text: str) -> bool:
    """Whether `text` is what a pattern with `*` and `?` describes, letter by letter."""
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    return _wildcard(pattern).fullmatch(text) is not None


def arn_matches(pattern: str, arn: str) -> bool:
    """Whether an ARN fits a pattern; a wildcard stays within its part, but for the last part."""
    if pattern == "*":
        return True
    wanted, found = pattern.split(":", _ARN_PARTS - 1), arn.split(":", _ARN_PARTS - 1)
    return len(wanted) == len(found) == _ARN_PARTS and all(map(text_matches, wanted, found))


def lowered(context: Mapping[str, str | Sequence[str]]) -> Context:
    """Return a request's condition keys in lower case, each with a list of values."""
    return {
        key.lower(): [value] if isinstance(value, str) else list(value)
        for key, value in context.items()
    }


def holds(condition: Mapping[str, Any], context: Context) -> bool:
    """Whether all operators of a condition hold for all their keys.

    Raises:
        ValueError: an operator is unknown; `problem_of` would have told.
    """
    return all(
        _key_holds(operator, _values(wanted), context.get(key.lower()))
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def problem_of(condition: object) -> str | None:
    """Return what is wrong with the `Condition` of a statement, as a sentence, or None."""
    if not isinstance(condition, Mapping):
        return "Condition must be an object."
    for operator, keys in condition.items():
        name = _plain_name(operator)
        if name not in _TESTS and name != "Null":
            return f"Condition operator {operator} is not supported."
        if not isinstance(keys, Mapping):
            return f"Condition operator {operator} must have an object of keys."
        for key, wanted in keys.items():
            if not _is_plain(wanted):
                return f"Condition {operator} of {key}: a value or a list of values is needed."
            if problem := _problem_of_values(name, _values(wanted)):
                return f"Condition {operator} of {key}: {problem}"
    return None


def _is_plain(wanted: object) -> bool:
    values = wanted if isinstance(wanted, list) else [wanted]
    return bool(values) and all(isinstance(value, str | bool | int | float) for value in values)


def _problem_of_values(name: str, wanted: Sequence[str]) -> str | None:
    for value in wanted:
        if "${" in value:
            return "policy variables are not supported by lambdad."
        try:
            if name in _PARSED:
                _PARSED[name](value)
        except ValueError:
            return f"{value} is not a value that it can compare with."
    return None


def _values(wanted: object) -> list[str]:
    """Return the values of a key as texts; JSON's own booleans and numbers are allowed."""
    if isinstance(wanted, bool):
        return ["true" if wanted else "false"]
    if isinstance(wanted, list):
        return [text for item in wanted for text in _values(item)]
    return [str(wanted)]


def _plain_name(operator: str) -> str:
    return operator.removeprefix(_EVERY).removeprefix(_ANY).removesuffix(_IF_EXISTS)


def _key_holds(operator: str, wanted: Sequence[str], found: Sequence[str] | None) -> bool:
    name = _plain_name(operator)
    if name == "Null":
        return (found is None) == (wanted[0].lower() == "true")
    test = _TESTS.get(name)
    if test is None:
        raise ValueError(f"unknown condition operator {operator}")
    negated = "Not" in name
    if found is None:
        # A key that the request lacks equals nothing, which is all that a negation asks.
        lenient = operator.endswith(_IF_EXISTS) or operator.startswith(_EVERY)
        return lenient or (negated and not operator.startswith(_ANY))
    outcomes = [any(_safely(test, value, text) for value in wanted) != negated for text in found]
    if operator.startswith(_ANY):
        return any(outcomes)
    return all(outcomes)


def _safely(test: _Test, wanted: str, found: str) -> bool:
    """Whether the test holds; what cannot be read as the operator's kind does not match."""
    try:
        return test(wanted, found)
    except ValueError:
        return False


def _moment(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _within(network: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _comparing(read: Callable[[str], Any]) -> dict[str, _Test]:
    """The six comparisons of a kind of value; a negation is its test, turned by the caller."""
    return {
        "Equals": lambda wanted, found: bool(read(found) == read(wanted)),
        "NotEquals": lambda wanted, found: bool(read(found) == read(wanted)),
        "LessThan": lambda wanted, found: bool(read(found) < read(wanted)),
        "LessThanEquals": lambda wanted, found: bool(read(found) <= read(wanted)),
        "GreaterThan": lambda wanted, found: bool(read(found) > read(wanted)),
        "GreaterThanEquals": lambda wanted, found: bool(read(found) >= read(wanted)),
    }


def _same(wanted: str, found: str) -> bool:
    return wanted == found


def _same_ignoring_case(wanted: str, found: str) -> bool:
    return wanted.casefold() == found.casefold()


# What a negation asks is asked plainly and then turned: it holds when no value fits.
_TESTS: dict[str, _Test] = {
    "StringEquals": _same,
    "StringNotEquals": _same,
    "StringEqualsIgnoreCase": _same_ignoring_case,
    "StringNotEqualsIgnoreCase": _same_ignoring_case,
    "StringLike": text_matches,
    "StringNotLike": text_matches,
    "ArnEquals": arn_matches,
    "ArnLike": arn_matches,
    "ArnNotEquals": arn_matches,
    "ArnNotLike": arn_matches,
    "Bool": lambda wanted, found: _boolean(wanted) == _boolean(found),
    "IpAddress": _within,
    "NotIpAddress": _within,
    **{f"Numeric{name}": test for name, test in _comparing(float).items()},
    **{f"Date{name}": test for name, test in _comparing(_moment).items()},
}

_PARSED: dict[str, Callable[[str], object]] = {
    "Null": _boolean,
    "Bool": _boolean,
    "IpAddress": lambda text: ipaddress.ip_network(text, strict=False),
    "NotIpAddress": lambda text: ipaddress.ip_network(text, strict=False),
    **{f"Numeric{name}": float for name in _comparing(float)},
    **{f"Date{name}": _moment for name in _comparing(_moment)},
}
