"""Variables of the Serverless Framework, `${source:address, fallback}`, as version 3 reads them.

Decides what a variable stands for; where values outside the file come from is told to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lambdad.cli.errors import Failure

Source = Callable[[str, str], Any]
"""Given the parameter in parentheses and the address, returns a value; None where there is none."""

# The innermost: its text has no other in it. `${AWS::Region}` is CloudFormation's.
_VARIABLE = re.compile(r"\$\{((?:[A-Za-z0-9_-]+(?:\([^${}]*?\)|:(?!:)))[^${}]*)\}")
_CANDIDATE = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\"|((?:\([^)]*\)|[^,(])+))\s*(?:,|$)")
_ADDRESS = re.compile(r"([A-Za-z0-9_-]+)(?:\(([^)]*)\)(?::(.*))?|:(.*))", re.DOTALL)
_BOOLEAN = re.compile(r"strToBool\((.*)\)", re.DOTALL)
_WORDS = {"true": True, "false": False, "null": None}
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_ROUNDS_MAX = 100


class Variables:
    """Resolves the variables of one document. Mutable: which addresses are being resolved.

    Args:
        document: the file, with its variables.
        sources: `opt`, `env`, `file`, ...; `self` is the document.
    """

    def __init__(self, document: Mapping[str, Any], sources: Mapping[str, Source]) -> None:
        self._document = document
        self._sources = {**sources, "self": self._own}
        self._under_way: list[str] = []

    def resolve(self, value: Any, where: str = "") -> Any:
        """Return a value with everything in it resolved; `where` is its place, for messages.

        Raises:
            Failure: a variable has no value, or needs its own.
        """
        if isinstance(value, str):
            return self._text(value, where)
        if isinstance(value, list):
            return [self.resolve(item, f"{where}[{index}]") for index, item in enumerate(value)]
        if isinstance(value, Mapping):
            return {
                self._text(key, where) if isinstance(key, str) else key: self.resolve(
                    item, f"{where}.{key}" if where else str(key)
                )
                for key, item in value.items()
            }
        return value

    def _text(self, text: str, where: str) -> Any:
        for _ in range(_ROUNDS_MAX):
            found = _VARIABLE.search(text)
            if found is None:
                return text
            value = self._value(found[1], where)
            if found[0] == text:
                return self.resolve(value, where)
            if isinstance(value, Mapping | list):
                raise Failure(f"{where}: {found[0]} is no text, and stands within one.")
            text = text[: found.start()] + _written(value) + text[found.end() :]
        raise Failure(f"{where}: its variables make ever more variables.")

    def _value(self, expression: str, where: str) -> Any:
        for literal, candidate in _candidates(expression):
            value = literal if candidate is None else self._candidate(candidate)
            if value is not None:
                return value
            if candidate == "null":
                return None
        raise Failure(
            f"{where}: ${{{expression}}} has no value.",
            "Give it one, or a fallback: ${source:address, 'fallback'}.",
        )

    def _candidate(self, text: str) -> Any:
        boolean = _BOOLEAN.fullmatch(text)
        if boolean is not None:
            return _boolean(boolean[1].strip().strip("'\""))
        found = _ADDRESS.fullmatch(text)
        if found is None:
            return _WORDS.get(text, int(text) if text.lstrip("-").isdigit() else text)
        source = self._sources.get(found[1])
        if source is None:
            known = ", ".join(sorted(self._sources))
            raise Failure(f"${{{text}}}: there is no source {found[1]!r}.", f"Known are {known}.")
        return source(found[2] or "", (found[3] or found[4] or "").strip())

    def _own(self, _: str, address: str) -> Any:
        if address in self._under_way:
            chain = " → ".join([*self._under_way, address])
            raise Failure(f"Variables need one another: {chain}.")
        self._under_way.append(address)
        try:
            value: Any = self._document
            for step in filter(None, address.split(".")):
                value = member(
                    self._text(value, address) if isinstance(value, str) else value, step
                )
            return self.resolve(value, address) if address else None
        finally:
            self._under_way.pop()


def member(value: Any, step: str) -> Any:
    """Return a member of a mapping or an item of a list; None where it has none."""
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    return None


def _candidates(expression: str) -> Iterator[tuple[str | None, str | None]]:
    """A literal or the text of a candidate, in order."""
    at = 0
    while at < len(expression):
        found = _CANDIDATE.match(expression, at)
        if found is None:
            raise Failure(f"${{{expression}}} cannot be read.")
        at = found.end()
        single, double, candidate = found.groups()
        if candidate is not None:
            yield None, candidate.strip()
        else:
            yield single if single is not None else double, None


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise Failure(f"strToBool: {text!r} is neither true nor false.")


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
