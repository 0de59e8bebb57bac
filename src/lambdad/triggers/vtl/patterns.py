"""Regular expressions of customers, matched in a time that is known before.

Python's engine tries every way to match, which takes for ever with some patterns. What an
expression could cost is counted first; one that could cost too much is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_PATTERN_MAX = 2_000
_COST_MAX = 50_000_000
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


class PatternRefused(ValueError):
    """A pattern is no regular expression, or matching it could take too long."""


def compiled(pattern: str, text: str, *, whole: bool = False) -> re.Pattern[str]:
    """Return a pattern that is safe to match with this text, or to search in it.

    `whole` promises that it is only asked whether the text as a whole matches.

    Raises:
        PatternRefused: it is not.
    """
    expression, parsed = _parsed(pattern)
    size = len(text) + 1
    # A search begins at each place anew.
    cost = _ways(parsed, size, last=False) if whole else size * _ways(parsed, size, last=True)
    if cost > _COST_MAX:
        raise PatternRefused("matching the regular expression could take too long")
    return expression


@lru_cache(maxsize=512)
def _parsed(pattern: str) -> tuple[re.Pattern[str], Any]:
    if len(pattern) > _PATTERN_MAX:
        raise PatternRefused("the regular expression is too long")
    try:
        return re.compile(pattern), parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternRefused(f"no regular expression: {error}") from error


def _ways(items: Any, size: int, *, last: bool) -> int:
    """Return in how many ways a sequence can match at one place, at most."""
    ways = 1
    for position, item in enumerate(items):
        # Nothing follows that could make the engine try another way.
        ends = last and position == len(items) - 1
        ways = min(ways * _ways_of(item, size, last=ends), _COST_MAX + 1)
    return ways


def _ways_of(item: Any, size: int, *, last: bool) -> int:
    code, argument = item
    if code in _REPEATS:
        return _ways_to_repeat(argument, size, last=last)
    if code in (codes.BRANCH, codes.GROUPREF_EXISTS):
        branches = argument[1] if code is codes.BRANCH else filter(None, argument[1:])
        return sum(_ways(branch, size, last=last) for branch in branches)
    if code is codes.SUBPATTERN:
        return _ways(argument[-1], size, last=last)
    if code is codes.ATOMIC_GROUP:
        return _ways(argument, size, last=last)
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        return _ways(argument[1], size, last=False)
    return 1


def _ways_to_repeat(argument: Any, size: int, *, last: bool) -> int:
    least, most, body = argument
    if _ways(body, size, last=False) > 1 and int(most) > 1:
        return _COST_MAX + 1
    count = min(int(most), size) - min(int(least), size) + 1
    return 1 if last and count > 2 else count
