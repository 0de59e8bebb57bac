"""Methods of texts, lists and maps: those of Java that templates call. Nothing else is reachable.

SECURITY: values are Python's own, but no attribute is ever looked up by a template's word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lambdad.triggers.vtl.bounds import ITEMS_MAX, TEXT_MAX, Budget, TemplateFailed
from lambdad.triggers.vtl.patterns import PatternRefused, compiled
from lambdad.triggers.vtl.values import (
    JsonArray,
    TemplateObject,
    equal,
    text_of,
    whole_number,
)

_Method = Callable[[Any, Sequence[Any], Budget], Any]


def member(value: Any, name: str, budget: Budget) -> Any:
    """Return a property of a value; None where it has none."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        return not value if name == "empty" else None
    if isinstance(value, list) and name == "empty":
        return not value
    if isinstance(value, TemplateObject):
        return value.member(name)
    budget.spend()
    return None


def item(value: Any, key: Any) -> Any:
    """Return what is at an index or a key; None where there is nothing."""
    if isinstance(value, dict):
        return value.get(_key(key))
    if isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return None


def put_item(value: Any, key: Any, new: Any) -> None:
    """Set what is at an index or a key; nothing happens where that cannot be."""
    if isinstance(value, dict):
        _check_room(value)
        value[_key(key)] = new
    elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        value[key] = new


def call(value: Any, name: str, arguments: Sequence[Any], budget: Budget) -> Any:
    """Call a method of a value.

    Raises:
        TemplateFailed: it has none, or it failed.
    """
    if isinstance(value, TemplateObject):
        return value.call(name, arguments, budget)
    methods = _methods_of(value)
    method = methods.get(name) or _COMMON.get(name)
    if method is None:
        raise TemplateFailed(f"there is no method {name}")
    budget.spend(len(value) if isinstance(value, str | list | dict) else 0)
    try:
        result = method(value, arguments, budget)
    except PatternRefused as error:
        raise TemplateFailed(str(error)) from error
    except (IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise TemplateFailed(f"{name} cannot be called so") from error
    if isinstance(result, str):
        budget.spend(len(result))
    return result


def _methods_of(value: Any) -> dict[str, _Method]:
    if isinstance(value, str):
        return _OF_TEXT
    if isinstance(value, list):
        return _OF_LIST
    if isinstance(value, dict):
        return _OF_MAP
    return _OF_NUMBER


def _key(key: Any) -> Any:
    return key if isinstance(key, str | int | float | bool | None) else "object"


def _check_room(value: Sequence[Any] | dict[Any, Any], more: int = 1) -> None:
    if len(value) + more > ITEMS_MAX:
        raise TemplateFailed(f"a list or map has more than {ITEMS_MAX} items")


def _replace(text: str, arguments: Sequence[Any], budget: Budget) -> str:
    old, new = text_of(arguments[0], budget), text_of(arguments[1], budget)
    count = text.count(old)
    if len(text) + count * max(0, len(new) - len(old)) > TEXT_MAX:
        raise TemplateFailed("the template makes more than 10 MB of text")
    return text.replace(old, new)


def _replace_all(text: str, arguments: Sequence[Any], budget: Budget, count: int = 0) -> str:
    pattern, new = text_of(arguments[0], budget), text_of(arguments[1], budget)
    expression = compiled(pattern, text)
    if (len(text) + 1) * (len(new) + 1) > TEXT_MAX * 2:
        raise TemplateFailed("the template makes more than 10 MB of text")
    if "$" not in new and "\\" not in new:
        budget.spend(16 * len(text))
        return expression.sub(new, text, count=count)
    return expression.sub(lambda match: _replacement(match, new, budget), text, count=count)


def _replacement(match: Any, new: str, budget: Budget) -> str:
    """Return what replaces a match: Java's `$1` is a group, what is escaped itself."""
    budget.spend()
    pieces: list[str] = []
    position = 0
    while position < len(new):
        letter = new[position]
        following = new[position + 1 : position + 2]
        if letter == "\\" and following:
            pieces.append(following)
            position += 2
        elif letter == "$" and following.isdecimal():
            pieces.append(match[int(following)] or "")
            position += 2
        else:
            pieces.append(letter)
            position += 1
    return "".join(pieces)


def _split(text: str, arguments: Sequence[Any], budget: Budget) -> list[str]:
    pattern = text_of(arguments[0], budget)
    parts, end = [], 0
    for match in compiled(pattern, text).finditer(text):
        if match.end() > 0:
            parts.append(text[end : match.start()])
            end = match.end()
            _check_room(parts)
    parts.append(text[end:])
    while len(parts) > 1 and not parts[-1]:  # as Java does
        parts.pop()
    return parts


def _matches(text: str, arguments: Sequence[Any], budget: Budget) -> bool:
    pattern = text_of(arguments[0], budget)
    return compiled(pattern, text, whole=True).fullmatch(text) is not None


def _substring(text: str, arguments: Sequence[Any], budget: Budget) -> str:
    start = int(arguments[0])
    end = int(arguments[1]) if len(arguments) > 1 else len(text)
    if not 0 <= start <= end <= len(text):
        raise IndexError
    budget.spend(end - start)
    return text[start:end]


def _add(value: list[Any], arguments: Sequence[Any], budget: Budget) -> bool:
    budget.spend()
    _check_room(value)
    if len(arguments) > 1:
        value.insert(int(arguments[0]), arguments[1])
    else:
        value.append(arguments[0])
    return True


def _add_all(value: list[Any], arguments: Sequence[Any], budget: Budget) -> bool:
    more = list(arguments[0])
    budget.spend(len(more))
    _check_room(value, len(more))
    value.extend(more)
    return bool(more)


def _index_of(value: list[Any], arguments: Sequence[Any], budget: Budget) -> int:
    for position, each in enumerate(value):
        if equal(each, arguments[0], budget):
            return position
    return -1


def _remove(value: list[Any], arguments: Sequence[Any], budget: Budget) -> Any:
    if isinstance(arguments[0], int) and not isinstance(arguments[0], bool):
        return value.pop(arguments[0])
    position = _index_of(value, arguments, budget)
    if position >= 0:
        del value[position]
    return position >= 0


def _put(value: dict[Any, Any], arguments: Sequence[Any], budget: Budget) -> Any:
    budget.spend()
    _check_room(value)
    key = _key(arguments[0])
    before = value.get(key)
    value[key] = arguments[1]
    return before


def _put_all(value: dict[Any, Any], arguments: Sequence[Any], budget: Budget) -> None:
    budget.spend(len(arguments[0]))
    _check_room(value, len(arguments[0]))
    value.update(arguments[0])


def _number(text: str) -> int | float:
    return whole_number(int(text)) if text.lstrip("+-").isdecimal() else float(text)


_COMMON: dict[str, _Method] = {
    "toString": lambda value, _, budget: text_of(value, budget),
    "equals": lambda value, given, budget: equal(value, given[0], budget),
}
_OF_TEXT: dict[str, _Method] = {
    "length": lambda text, *_: len(text),
    "isEmpty": lambda text, *_: not text,
    "toUpperCase": lambda text, *_: text.upper(),
    "toLowerCase": lambda text, *_: text.lower(),
    "trim": lambda text, *_: text.strip(),
    "charAt": lambda text, given, budget: _substring(text, (given[0], given[0] + 1), budget),
    "substring": _substring,
    "concat": lambda text, given, budget: text + text_of(given[0], budget),
    "contains": lambda text, given, budget: text_of(given[0], budget) in text,
    "startsWith": lambda text, given, budget: text.startswith(text_of(given[0], budget)),
    "endsWith": lambda text, given, budget: text.endswith(text_of(given[0], budget)),
    "indexOf": lambda text, given, budget: text.find(
        text_of(given[0], budget), *(int(each) for each in given[1:2])
    ),
    "lastIndexOf": lambda text, given, budget: text.rfind(text_of(given[0], budget)),
    "equalsIgnoreCase": lambda text, given, budget: (
        text.lower() == text_of(given[0], budget).lower()
    ),
    "replace": _replace,
    "replaceAll": _replace_all,
    "replaceFirst": lambda text, given, budget: _replace_all(text, given, budget, 1),
    "split": _split,
    "matches": _matches,
    # Of Integer and Double, which templates reach by `$number.parseInt("1")` and the like.
    "parseInt": lambda _, given, budget: int(text_of(given[0], budget)),
    "parseDouble": lambda _, given, budget: float(text_of(given[0], budget)),
    "intValue": lambda text, *_: int(_number(text)),
}
_OF_LIST: dict[str, _Method] = {
    "size": lambda value, *_: len(value),
    "isEmpty": lambda value, *_: not value,
    "get": lambda value, given, _: value[given[0]] if given[0] >= 0 else None,
    "set": lambda value, given, _: put_item(value, given[0], given[1]),
    "add": _add,
    "addAll": _add_all,
    "contains": lambda value, given, budget: _index_of(value, given, budget) >= 0,
    "indexOf": _index_of,
    "remove": _remove,
    "clear": lambda value, *_: value.clear(),
    "subList": lambda value, given, _: JsonArray(value[given[0] : given[1]]),
}
_OF_MAP: dict[str, _Method] = {
    "size": lambda value, *_: len(value),
    "isEmpty": lambda value, *_: not value,
    "get": lambda value, given, _: value.get(_key(given[0])),
    "getOrDefault": lambda value, given, _: value.get(_key(given[0]), given[1]),
    "put": _put,
    "putAll": _put_all,
    "keySet": lambda value, *_: list(value),
    "values": lambda value, *_: list(value.values()),
    "entrySet": lambda value, *_: [
        {"key": name, "value": each} for name, each in list(value.items())
    ],
    "containsKey": lambda value, given, _: _key(given[0]) in value,
    "containsValue": lambda value, given, budget: (
        _index_of(list(value.values()), given, budget) >= 0
    ),
    "remove": lambda value, given, _: value.pop(_key(given[0]), None),
    "clear": lambda value, *_: value.clear(),
    "getKey": lambda value, *_: value.get("key"),
    "getValue": lambda value, *_: value.get("value"),
}
_OF_NUMBER: dict[str, _Method] = {
    "intValue": lambda value, *_: int(value),
    "longValue": lambda value, *_: int(value),
    "doubleValue": lambda value, *_: float(value),
    "compareTo": lambda value, given, _: (value > given[0]) - (value < given[0]),
}
