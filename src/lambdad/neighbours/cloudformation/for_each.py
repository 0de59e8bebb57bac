"""`Fn::ForEach`: parts of a template that are written once and stand there many times. Pure.

What comes of a template is bounded while it is made, so that no loops in loops fill the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError

PREFIX = "Fn::ForEach::"
_LOOPS_MAX = 5
_SIZE_MAX = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9]+")
_SECTIONS = ("Conditions", "Resources", "Outputs")
_NO_WORD = re.compile(r"[^A-Za-z0-9]")


def is_loop(name: Any) -> bool:
    """Whether a key of a template begins a loop."""
    return isinstance(name, str) and name.startswith(PREFIX)


def expanded(document: Mapping[str, Any], items: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a template without loops; `items` evaluates what a loop goes over.

    Raises:
        ValidationError: a loop has the wrong form, or too much comes of it.
    """
    loops = _Loops(items, set(document.get("Parameters") or ()))
    found = dict(document)
    for section in _SECTIONS:
        if section in found:
            found[section] = loops.value(found[section], {})
    return found


def _failed(why: str) -> ValidationError:
    return ValidationError(f"Transform AWS::LanguageExtensions failed with: {why}")


class _Loops:
    """Mutable: how much was made so far."""

    def __init__(self, items: Callable[[Any], Any], taken: set[str]) -> None:
        self._items = items
        self._taken = taken
        self._size = 0

    def value(self, value: Any, names: Mapping[str, str]) -> Any:
        """Return a value with its loops unrolled; `names` are those of the loops around it."""
        self._count(8)
        if isinstance(value, str):
            found = _filled(value, names)
            self._count(len(found))
            return found
        if isinstance(value, list):
            return [self.value(each, names) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and isinstance(value.get("Ref"), str) and value["Ref"] in names:
            return names[value["Ref"]]
        made: dict[str, Any] = {}
        for key, each in value.items():
            if is_loop(key):
                self._unroll(key, each, names, made)
            else:
                self._add(made, _filled(key, names), self.value(each, names))
        return made

    def _unroll(self, key: str, loop: Any, names: Mapping[str, str], made: dict[str, Any]) -> None:
        wanted = key.removeprefix(PREFIX)
        if not (
            isinstance(loop, list)
            and len(loop) == 3
            and isinstance(loop[0], str)
            and isinstance(loop[2], dict)
            and _NAME.fullmatch(wanted)
        ):
            raise _failed("Fn::ForEach layout is incorrect")
        name = loop[0]
        if not _NAME.fullmatch(name) or name in names or name in self._taken:
            raise _failed(
                f"Fn::ForEach {wanted}: the identifier {name} has to be alphanumeric, and no name "
                "of a parameter or of another loop around it"
            )
        if len(names) >= _LOOPS_MAX:
            raise _failed(f"Fn::ForEach loops nest deeper than {_LOOPS_MAX} levels")
        for item in self._over(wanted, self.value(loop[1], names)):
            for inner, each in self.value(loop[2], {**names, name: item}).items():
                self._add(made, inner, each)

    def _over(self, wanted: str, given: Any) -> list[str]:
        parts = given if isinstance(given, list) else [given]
        found: list[str] = []
        for part in parts:
            value = self._items(part)
            found += [str(each) for each in value] if isinstance(value, list) else [str(value)]
            if isinstance(value, dict):
                raise _failed(f"Fn::ForEach {wanted} needs a list of strings to go over")
        return found

    def _add(self, made: dict[str, Any], key: str, value: Any) -> None:
        if key in made:
            raise _failed(f"Fn::ForEach makes {key} more than once")
        self._count(len(key))
        made[key] = value

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > _SIZE_MAX:
            raise _failed(f"the template that comes of it is larger than {_SIZE_MAX} bytes")


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, item in names.items():
        if name in text:
            text = text.replace("${" + name + "}", item)
            text = text.replace("&{" + name + "}", _NO_WORD.sub("", item))
    return text
