r"""Regular expressions of filter patterns, matched in time linear in the text. Pure.

Serves what CloudWatch Logs does: characters, `.`, classes, `\d \s \w` and their opposites,
`* + ? {n,m}`, `|`, and `^` and `$` at the ends of an alternative. There are no groups, so an
expression is alternatives of repeated characters, and a set of places in them is all the state.
Python's own matcher would try again and again, at the caller's wish and the daemon's expense.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_ITEMS_MAX = 1_000
_KNOWN_MAX = 10_000
_ATOM = re.compile(
    r"(?P<set>\[\^?(?:\\.|[^\]\\])+\])|(?P<escape>\\(?:x[0-9a-fA-F]{2}|.))|(?P<any>\.)"
    r"|(?P<plain>[^\\\[\]{}()*+?|^$])",
    re.DOTALL,
)
_REPEAT = re.compile(r"\*|\+|\?|\{(\d{1,4})(,(\d{0,4}))?\}")

Place = tuple[int, int]


class InvalidRegex(ValueError):
    """The text is no such expression."""


@dataclass(frozen=True, slots=True)
class _Item:
    """A character: whether it may be left out, whether it may come again."""

    fits: Callable[[str], object]
    optional: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Alternative:
    items: tuple[_Item, ...]
    from_start: bool
    to_end: bool


@dataclass(slots=True, eq=False)
class _State:
    """A set of places, and the states behind it as far as they are known.

    Attributes:
        found: an alternative has been found here.
        found_at_end: one is found if the text ends here.
    """

    places: frozenset[Place]
    found: bool
    found_at_end: bool
    following: dict[str, _State] = field(default_factory=dict)


class LinearRegex:
    """Tells whether an expression occurs in a text. Mutable: the states found out so far."""

    def __init__(self, expression: str) -> None:
        """Read the expression.

        Raises:
            InvalidRegex: it is none, or too large.
        """
        self._alternatives = _parse(expression)
        self._known = 0
        self._states: dict[frozenset[Place], _State] = {}
        begin: set[Place] = set()
        for index in range(len(self._alternatives)):
            self._enter(begin, (index, 0))
        self._begin = frozenset(begin)
        self._anywhere = frozenset(
            place for place in begin if not self._alternatives[place[0]].from_start
        )

    def occurs(self, text: str) -> bool:
        """Whether the expression occurs in the text."""
        state = self._state(self._begin)
        for character in text:
            if state.found:
                return True
            following = state.following.get(character)
            if following is None:
                following = self._follow(state, character)
            state = following
        return state.found or state.found_at_end

    def _follow(self, state: _State, character: str) -> _State:
        places = set(self._anywhere)
        for index, place in state.places:
            items = self._alternatives[index].items
            if place < len(items) and items[place].fits(character):
                self._enter(places, (index, place if items[place].again else place + 1))
        if self._known >= _KNOWN_MAX:
            self._states.clear()
            self._known = 0
        self._known += 1
        following = state.following[character] = self._state(frozenset(places))
        return following

    def _enter(self, places: set[Place], place: Place) -> None:
        index, number = place
        items = self._alternatives[index].items
        places.add((index, number))
        while number < len(items) and items[number].optional:
            number += 1
            places.add((index, number))

    def _state(self, places: frozenset[Place]) -> _State:
        state = self._states.get(places)
        if state is None:
            ended = [
                self._alternatives[index]
                for index, place in places
                if place == len(self._alternatives[index].items)
            ]
            state = self._states[places] = _State(
                places, found=any(not each.to_end for each in ended), found_at_end=bool(ended)
            )
        return state


def _parse(expression: str) -> list[_Alternative]:
    alternatives: list[_Alternative] = []
    items: list[_Item] = []
    from_start = to_end = False
    position, total = 0, 0
    while position <= len(expression):
        sign = expression[position : position + 1]
        if sign in ("", "|"):
            alternatives.append(_Alternative(tuple(items), from_start, to_end))
            items, from_start, to_end = [], False, False
            position += 1
        elif to_end or (sign == "^" and (items or from_start)):
            raise InvalidRegex("^ and $ stand at the ends of an alternative only")
        elif sign in "^$":
            from_start, to_end = from_start or sign == "^", sign == "$"
            position += 1
        else:
            more, position = _repeated(expression, position)
            items += more
            total += len(more)
            if total > _ITEMS_MAX:
                raise InvalidRegex("the expression is too large")
    return alternatives


def _repeated(expression: str, position: int) -> tuple[list[_Item], int]:
    """Read a character with how often it comes; returns its items and where to go on."""
    atom = _ATOM.match(expression, position)
    if atom is None:
        raise InvalidRegex(f"'{expression[position]}' is not supported here")
    fits = _test(atom)
    repeat = _REPEAT.match(expression, atom.end())
    if repeat is None:
        return [_Item(fits)], atom.end()
    least, most = _bounds(repeat)
    if least > _ITEMS_MAX or (most is not None and (most > _ITEMS_MAX or most < least)):
        raise InvalidRegex(f"{repeat.group()} is out of range")
    items = [_Item(fits)] * least
    if most is None:
        items.append(_Item(fits, optional=True, again=True))
    else:
        items += [_Item(fits, optional=True)] * (most - least)
    return items, repeat.end()


def _bounds(repeat: re.Match[str]) -> tuple[int, int | None]:
    fixed: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
    if repeat.group() in fixed:
        return fixed[repeat.group()]
    least = int(repeat[1])
    if repeat[2] is None:
        return least, least
    return least, int(repeat[3]) if repeat[3] else None


def _test(atom: re.Match[str]) -> Callable[[str], object]:
    text = atom.group()
    if atom.lastgroup == "any":
        return lambda character: True
    if atom.lastgroup == "plain":
        return text.__eq__
    letter = text[1] if atom.lastgroup == "escape" and len(text) == 2 else "d"
    if letter.isalnum() and letter not in "dDsSwWtnr":
        raise InvalidRegex(f"{text} is not supported")
    try:
        return re.compile(text, re.ASCII).fullmatch
    except re.error as error:
        raise InvalidRegex(str(error)) from error
