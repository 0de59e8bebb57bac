"""Filter patterns for messages that are JSON objects: `{ $.a.b = "x*" && ($.n > 3) }`. Pure.

A message that is no JSON object never matches, and neither does a comparison with a property
that is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from lambdad.observability.regex_patterns import InvalidRegex, LinearRegex

Test = Callable[[object], bool]

# Deeper ones are refused: each level is a Python call.
_DEPTH_MAX = 32
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<logic>&&|\|\||\(|\)|\{|\})
      | (?P<selector>\$(?:\.?\[(?:\d+|\*|'[^']*'|"[^"]*")\]|\.[^\s.\[\](){}=!<>&|"']+)*)
      | (?P<operator>!=|>=|<=|=|>|<)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<regex>%[^%]+%)
      | (?P<word>[^\s(){}=!<>&|"]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"""\.?\[(?:(\d+)|(\*)|'([^']*)'|"([^"]*)")\]|\.([^.\[]+)""")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}
_MISSING = object()
_EACH = object()

Token = tuple[str, str]


class InvalidPattern(ValueError):
    """The text is no filter pattern; the message says why."""


def compile_json(pattern: str) -> Callable[[str], bool]:
    """Return the test that a pattern in braces stands for.

    Raises:
        InvalidPattern: it is none.
    """
    test = _Parser(_tokens(pattern)).parse()

    def matches(message: str) -> bool:
        if not message.lstrip().startswith("{"):
            return False
        try:
            document = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return test(document)

    return matches


def read_selectors(pattern: str) -> Callable[[str], dict[str, str]]:
    """Return what reads from a message that matches a pattern the values it selects, as text."""
    wanted = {text: _steps(text) for kind, text in _tokens(pattern) if kind == "selector"}

    def read(message: str) -> dict[str, str]:
        document = json.loads(message)
        found = {text: _select(document, steps) for text, steps in wanted.items()}
        return {
            text: values[0] if isinstance(values[0], str) else json.dumps(values[0])
            for text, values in found.items()
            if values
        }

    return read


def _tokens(pattern: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    end = len(pattern.rstrip())
    while position < end:
        match = _TOKEN.match(pattern, position)
        if match is None or match.lastgroup is None:
            raise InvalidPattern("Invalid filter pattern")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent. Mutable: the position in the tokens, and how deep it is."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def parse(self) -> Test:
        self._expect("{")
        test = self._either()
        self._expect("}")
        if self._position != len(self._tokens):
            raise InvalidPattern("Invalid filter pattern")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take("||"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._take("&&"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)

    def _single(self) -> Test:
        if not self._take("("):
            return self._comparison()
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise InvalidPattern("Invalid filter pattern: too many nested parentheses")
        test = self._either()
        self._expect(")")
        self._depth -= 1
        return test

    def _comparison(self) -> Test:
        kind, selector = self._next()
        if kind != "selector":
            raise InvalidPattern("Invalid filter pattern")
        steps = _steps(selector)
        kind, text = self._next()
        if kind == "operator":
            return _compare(steps, text, self._next())
        word = text.upper() if kind == "word" else ""
        if word == "IS":
            kind, constant = self._next()
            if kind == "word" and constant.upper() in _CONSTANTS:
                wanted = _CONSTANTS[constant.upper()]
                return lambda value: any(found is wanted for found in _select(value, steps))
        elif word == "EXISTS":
            return lambda value: bool(_select(value, steps))
        elif word == "NOT":
            kind, exists = self._next()
            if kind == "word" and exists.upper() == "EXISTS":
                return lambda value: not _select(value, steps)
        raise InvalidPattern("Invalid filter pattern")

    def _next(self) -> Token:
        if self._position >= len(self._tokens):
            raise InvalidPattern("Invalid filter pattern: unexpected end")
        self._position += 1
        return self._tokens[self._position - 1]

    def _take(self, text: str) -> bool:
        if self._tokens[self._position : self._position + 1] == [("logic", text)]:
            self._position += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise InvalidPattern(f"Invalid filter pattern: '{text}' expected")


def _steps(selector: str) -> list[object]:
    steps: list[object] = []
    for index, each, single, double, name in _STEP.findall(selector):
        steps.append(int(index) if index else _EACH if each else single or double or name)
    return steps


def _select(value: object, steps: Sequence[object]) -> list[object]:
    """Return what the selector finds: nothing, one value, or several behind `[*]`."""
    found = [value]
    for step in steps:
        if step is _EACH:
            found = [item for value in found if isinstance(value, list) for item in value]
        else:
            found = [inner for value in found if (inner := _inner(value, step)) is not _MISSING]
    return found


def _inner(value: object, step: object) -> object:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else _MISSING
    return value.get(step, _MISSING) if isinstance(value, dict) else _MISSING


def _compare(steps: Sequence[object], operator: str, operand: Token) -> Test:
    kind, text = operand
    if kind not in ("quoted", "word", "regex"):
        raise InvalidPattern("Invalid filter pattern")
    if kind == "word" and _NUMBER.fullmatch(text):
        test = _number_test(operator, float(text), text)
    elif operator in ("=", "!="):
        plain = text if kind == "regex" else re.sub(r"\\(.)", r"\1", text)
        test = _text_test(operator, plain, regex=kind == "regex")
    else:
        raise InvalidPattern(f"Invalid filter pattern: '{operator}' needs a number")
    return lambda value: any(test(found) for found in _select(value, steps))


def _number_test(operator: str, wanted: float, text: str) -> Test:
    def test(value: object) -> bool:
        if isinstance(value, str) and operator in ("=", "!="):
            return (value == text) is (operator == "=")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return operator == "!="
        return _ORDER[operator](value, wanted)

    return test


_ORDER: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "<": lambda value, wanted: value < wanted,
    ">": lambda value, wanted: value > wanted,
    "<=": lambda value, wanted: value <= wanted,
    ">=": lambda value, wanted: value >= wanted,
}


def _text_test(operator: str, pattern: str, *, regex: bool) -> Test:
    compare = text_test(operator, pattern, regex=regex)

    def test(value: object) -> bool:
        if isinstance(value, dict | list) or value is None:
            return operator == "!="
        return compare(value if isinstance(value, str) else json.dumps(value))

    return test


def text_test(operator: str, pattern: str, *, regex: bool) -> Callable[[str], bool]:
    """Return the test of a text by `=` or `!=`, with `*` in the pattern or a regular expression.

    Raises:
        InvalidPattern: the regular expression is none.
    """
    wanted = operator == "="
    if regex:
        found = compile_regex(pattern).occurs
        return lambda text: found(text) is wanted
    parts = pattern.split("*")
    return lambda text: _wildcard(parts, text) is wanted


def compile_regex(text: str) -> LinearRegex:
    """Return the expression between two percent signs.

    Raises:
        InvalidPattern: there is none.
    """
    try:
        return LinearRegex(text[1:-1])
    except InvalidRegex as error:
        raise InvalidPattern(f"Invalid regular expression {text}: {error}") from error


def _wildcard(parts: Sequence[str], text: str) -> bool:
    """Whether the text is the parts with anything between them; time linear in the text."""
    if len(parts) == 1:
        return text == parts[0]
    if not text.startswith(parts[0]):
        return False
    position = len(parts[0])
    for part in parts[1:-1]:
        position = text.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return len(text) - position >= len(parts[-1]) and text.endswith(parts[-1])
