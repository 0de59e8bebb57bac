"""Values of templates: what they are as text, when two are equal, what counts as true.

Values are Python's scalars, lists and dicts, and objects that say themselves what they have. Text,
comparison and sizes are bounded, as values may hold one another many times.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from lambdad.triggers.vtl.bounds import Budget, TemplateFailed

_LONG = 1 << 64
_LONG_MAX = (1 << 63) - 1


class JsonObject(dict[str, Any]):
    """An object that came from JSON, and is JSON when it is written."""


class JsonArray(list[Any]):
    """An array that came from JSON, and is JSON when it is written."""


@runtime_checkable
class TemplateObject(Protocol):
    """Something with methods of its own: `$input`, `$util`."""

    def call(self, name: str, arguments: Sequence[Any], budget: Budget) -> Any:
        """Call a method.

        Raises:
            TemplateFailed: there is none, or it failed.
        """
        ...

    def member(self, name: str) -> Any:
        """Return a property, or None."""
        ...


def parse_json(text: str, budget: Budget) -> Any:
    """Return what JSON text means, as values of templates.

    Raises:
        ValueError: it is none.
    """
    budget.spend(len(text))
    try:
        return of_json(json.loads(text))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def of_json(value: Any) -> Any:
    """Return a JSON value as a value of templates."""
    if isinstance(value, dict):
        return JsonObject({name: of_json(each) for name, each in value.items()})
    if isinstance(value, list):
        return JsonArray(map(of_json, value))
    return value


def truthy(value: Any) -> bool:
    """Whether `#if` takes a value: all but null and false, so even an empty text."""
    return value is not None and value is not False


def whole_number(value: int) -> int:
    """Return an integer as Java's long has it."""
    if -_LONG_MAX <= value <= _LONG_MAX:
        return value
    return (value + _LONG_MAX + 1) % _LONG - _LONG_MAX - 1


def text_of(value: Any, budget: Budget) -> str:
    """Return a value as it is written into the output.

    Raises:
        TemplateFailed: it is too long, or nested too deeply.
    """
    if isinstance(value, str):
        budget.spend(len(value))
        return value
    pieces: list[str] = []
    _write(value, pieces, budget, as_json=False)
    text = "".join(pieces)
    budget.spend(len(text))
    return text


def json_of(value: Any, budget: Budget) -> str:
    """Return a value as JSON.

    Raises:
        TemplateFailed: it is too long, or nested too deeply.
    """
    pieces: list[str] = []
    _write(value, pieces, budget, as_json=True)
    return "".join(pieces)


def _write(value: Any, pieces: list[str], budget: Budget, *, as_json: bool) -> None:
    budget.spend(len(value) if isinstance(value, str) else 0)
    if isinstance(value, dict):
        _write_members(value, pieces, budget, as_json=as_json or isinstance(value, JsonObject))
    elif isinstance(value, list):
        _write_items(value, pieces, budget, as_json=as_json or isinstance(value, JsonArray))
    elif as_json:
        scalar = value is None or isinstance(value, bool | int | float | str)
        pieces.append(json.dumps(value if scalar else str(value), ensure_ascii=False))
    else:
        pieces.append(_plain(value))


def _write_items(value: list[Any], pieces: list[str], budget: Budget, *, as_json: bool) -> None:
    budget.enter()
    pieces.append("[")
    for position, item in enumerate(value):
        if position:
            pieces.append("," if as_json else ", ")
        _write(item, pieces, budget, as_json=as_json)
    pieces.append("]")
    budget.leave()


def _write_members(
    value: dict[Any, Any], pieces: list[str], budget: Budget, *, as_json: bool
) -> None:
    budget.enter()
    pieces.append("{")
    for position, (name, item) in enumerate(value.items()):
        if position:
            pieces.append("," if as_json else ", ")
        if as_json:
            pieces.append(f"{json.dumps(str(name), ensure_ascii=False)}:")
        else:
            pieces.append(f"{_plain(name)}=")
        _write(item, pieces, budget, as_json=as_json)
    pieces.append("}")
    budget.leave()


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def equal(left: Any, right: Any, budget: Budget) -> bool:
    """Whether two values are the same; of different kinds, whether their texts are.

    Raises:
        TemplateFailed: comparing them takes too long.
    """
    if left is right:
        return True
    if left is None or right is None:
        return False
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    return text_of(left, budget) == text_of(right, budget)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def computed(operator: str, left: Any, right: Any, budget: Budget) -> Any:
    """Return the result of an operator of arithmetic or order; null where there is none."""
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        text = text_of(left, budget) + text_of(right, budget)
        budget.spend(len(text))
        return text
    numbers = _is_number(left) and _is_number(right)
    if operator in _ORDERS:
        comparable = numbers or (isinstance(left, str) and isinstance(right, str))
        return comparable and _ORDERS[operator](left, right)
    try:
        return _arithmetic(operator, left, right) if numbers else None
    except (ZeroDivisionError, OverflowError):
        return None


_ORDERS: dict[str, Any] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}


def _arithmetic(operator: str, left: Any, right: Any) -> Any:
    whole = isinstance(left, int) and isinstance(right, int)
    if operator == "+":
        result = left + right
    elif operator == "-":
        result = left - right
    elif operator == "*":
        result = left * right
    elif operator == "/":
        # Java cuts towards zero, Python rounds down.
        result = abs(left) // abs(right) * _sign(left, right) if whole else left / right
    elif operator == "%":
        result = left - right * (abs(left) // abs(right) * _sign(left, right))
    else:
        raise TemplateFailed(f"there is no operator {operator}")
    return whole_number(result) if whole else result


def _sign(left: float, right: float) -> int:
    return 1 if (left < 0) == (right < 0) else -1
