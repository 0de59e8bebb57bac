"""Regular expressions of the service models, which are Java's, for Python's `re`.

Decides how each construct is said in Python so that it accepts the same texts. Refuses what has
no translation, so that a new model with such a pattern fails a test and not a user.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

# Java's classes are ASCII.
_CLASSES = {
    "d": "0-9",
    "w": "0-9A-Za-z_",
    "s": r" \t\n\r\f\v",
    "D": r"\x00-/:-\U0010ffff",
    "W": r"\x00-/:-@\[-\^`{-\U0010ffff",
    "S": r"\x00-\x08\x0e-\x1f!-\U0010ffff",
}
# Java's dot stops at more line ends than Python's.
_DOT = r"[^\n\r\u0085\u2028\u2029]"
_SEPARATORS = r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the pattern for `fullmatch`; AWS anchors all patterns at both ends.

    Raises:
        ValueError: the pattern uses something that has no translation.
    """
    try:
        return re.compile(_Translation(pattern).run())
    except re.error as error:
        raise ValueError(f"cannot translate the pattern {pattern!r}: {error}") from error


class _Translation:
    """One walk through a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def run(self) -> str:
        out = []
        while self._at < len(self._pattern):
            char = self._take()
            if char == "\\":
                out.append(self._escape_outside())
            elif char == "[":
                out.append(self._set())
            else:
                out.append(_DOT if char == "." else char)
        return "".join(out)

    def _take(self) -> str:
        if self._at >= len(self._pattern):
            raise ValueError(f"the pattern {self._pattern!r} ends too early")
        char = self._pattern[self._at]
        self._at += 1
        return char

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _escape_outside(self) -> str:
        char = self._take()
        if char in _CLASSES:
            return f"[{_CLASSES[char]}]"
        if char == "p":
            return f"[{_category(self._property())}]"
        return f"\\{char}"

    def _property(self) -> str:
        name = self._take()
        if name == "{":
            end = self._pattern.index("}", self._at)
            name = self._pattern[self._at : end]
            self._at = end + 1
        return name

    def _set(self) -> str:
        """Translate a character set, the opening bracket being read."""
        out = ["["]
        if self._peek() == "^":
            out.append(self._take())
        categories: list[str] = []
        while (char := self._take()) != "]":
            if char == "\\":
                out.append(self._escape_inside(categories))
            elif char == "[" or (char == "&" and self._peek() == "&"):
                raise ValueError(f"{self._pattern!r}: unions and intersections of sets")
            elif char == "-" and _is_class(out[-1]):
                out.append(r"\-")  # a hyphen after a class is itself
            else:
                out.append(char)
        out.extend(_categories(categories, underscore="_" in out))
        return "".join([*out, "]"])

    def _escape_inside(self, categories: list[str]) -> str:
        char = self._take()
        if char == "p":
            categories.append(self._property())
            return ""
        if char in _CLASSES:
            return _CLASSES[char]
        if char == "u":
            code = self._pattern[self._at : self._at + 4]
            self._at += 4
            return f"\\u{code}"
        return f"\\{char}"


def _is_class(text: str) -> bool:
    return text == "" or text in _CLASSES.values()


def _categories(names: list[str], *, underscore: bool) -> list[str]:
    """Return the members of a set that stand for Unicode categories."""
    if underscore and "L" in names and "N" in names:
        # Letters, numbers and the underscore are what Python's \w is.
        return [r"\w", *(_category(name) for name in names if name not in "LN")]
    return [_category(name) for name in names]


@cache
def _category(name: str) -> str:
    """Return the ranges of a Unicode category, ready to stand in a set."""
    if name == "Z":
        return _SEPARATORS
    if name not in ("L", "N", "P", "S", "M", "Lu", "Ll"):
        raise ValueError(f"the Unicode property {name!r} is not known here")
    ranges: list[str] = []
    start = None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code)).startswith(name)
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    return "".join(ranges)
