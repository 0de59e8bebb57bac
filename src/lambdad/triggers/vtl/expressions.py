"""Reading of references and expressions: what stands behind `$` and between brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lambdad.triggers.vtl.bounds import DEPTH_MAX, TemplateFailed
from lambdad.triggers.vtl.nodes import (
    Call,
    Expression,
    Index,
    Interpolated,
    ListOf,
    Literal,
    MapOf,
    Member,
    Negative,
    Node,
    Not,
    Operation,
    Range,
    Reference,
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# Behind a dot, where `-` may be a minus only in expressions; JSON's keys have it more often.
_BLANK = re.compile(r"\s*")
_NUMBER = re.compile(r"\d+(?:\.(?!\.)\d+)?(?:[eE][+-]?\d+)?")
_WORDS = {"and": "&&", "or": "||", "eq": "==", "ne": "!=", "lt": "<", "gt": ">"} | {
    "le": "<=",
    "ge": ">=",
}
# Weakest first.
_LEVELS: Sequence[Sequence[str]] = (
    ("||",),
    ("&&",),
    ("==", "!="),
    ("<=", ">=", "<", ">"),
    ("+", "-"),
    ("*", "/", "%"),
)
_CONSTANTS = {"true": True, "false": False, "null": None}


class Reader:
    """The text of a template and how far it is read. Mutable."""

    def __init__(self, text: str, parse: Callable[[str], Sequence[Node]]) -> None:
        """`parse` reads the template that a text in double quotes is."""
        self.text = text
        self.at = 0
        self._parse = parse
        self._depth = 0

    def reference(self) -> Reference | None:
        """Read a reference at a `$`; None where none stands, and nothing is read then."""
        start = self.at
        self.at += 1
        quiet = self.accept("!")
        braced = self.accept("{")
        name = self.name()
        if name is None:
            self.at = start
            return None
        accessors = self._accessors()
        if braced and not self.accept("}"):
            raise self.wrong("a } is missing")
        return Reference(name, accessors, self.text[start : self.at], quiet)

    def name(self) -> str | None:
        """Read a name, if one stands here."""
        found = _NAME.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def accept(self, token: str) -> bool:
        """Read these characters, if they stand here."""
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def expect(self, token: str) -> None:
        """Read these characters after blanks.

        Raises:
            TemplateFailed: something else stands there.
        """
        self.blanks()
        if not self.accept(token):
            raise self.wrong(f"{token} is missing")

    def blanks(self) -> None:
        """Read blanks and line ends."""
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def wrong(self, problem: str) -> TemplateFailed:
        """Return an error that says where."""
        line = self.text.count("\n", 0, self.at) + 1
        return TemplateFailed(f"line {line} of the template: {problem}")

    def _accessors(self) -> list[Member | Call | Index]:
        accessors: list[Member | Call | Index] = []
        while True:
            start = self.at
            if self.accept("["):
                accessors.append(Index(self.expression()))
                self.expect("]")
            elif self.accept("."):
                name = self.name()
                if name is None:
                    self.at = start
                    return accessors
                if self.accept("("):
                    accessors.append(Call(name, self.listed(")")))
                else:
                    accessors.append(Member(name))
            else:
                return accessors

    def listed(self, end: str, separator: str = ",") -> list[Expression]:
        """Read expressions up to a closing bracket."""
        items: list[Expression] = []
        self.blanks()
        while not self.accept(end):
            if items:
                self.accept(separator)
            items.append(self.expression())
            self.blanks()
        return items

    def expression(self) -> Expression:
        """Read an expression.

        Raises:
            TemplateFailed: none stands here.
        """
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self.wrong("expressions are nested too deeply")
        found = self._level(0)
        self._depth -= 1
        return found

    def _level(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._operand()
        left = self._level(level + 1)
        length = 0
        while (operator := self._operator(_LEVELS[level])) is not None:
            length += 1
            if length > DEPTH_MAX:
                raise self.wrong("the expression is too long")
            left = Operation(operator, left, self._level(level + 1))
        return left

    def _operator(self, operators: Sequence[str]) -> str | None:
        start = self.at
        self.blanks()
        for operator in operators:
            if self.accept(operator):
                return operator
        word = self.name()
        if word is not None and _WORDS.get(word) in operators:
            return _WORDS[word]
        self.at = start
        return None

    def _operand(self) -> Expression:
        self.blanks()
        letter = self.text[self.at : self.at + 1]
        if letter == "$":
            found = self.reference()
            if found is None:
                raise self.wrong("a name is missing behind $")
            return found
        if letter in ("'", '"'):
            return self._quoted(letter)
        if letter.isdecimal():
            return self._number()
        if letter == "(":
            self.at += 1
            inner = self.expression()
            self.expect(")")
            return inner
        return self._other(letter)

    def _other(self, letter: str) -> Expression:
        if letter == "[":
            self.at += 1
            return self._list_or_range()
        if letter == "{":
            self.at += 1
            return self._map()
        if letter in ("!", "-"):
            self.at += 1
            return self._prefixed(Not if letter == "!" else Negative)
        word = self.name()
        if word == "not":
            return self._prefixed(Not)
        if word in _CONSTANTS:
            return Literal(_CONSTANTS[word])
        raise self.wrong("an expression is missing")

    def _prefixed(self, kind: type[Not | Negative]) -> Expression:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self.wrong("expressions are nested too deeply")
        operand = self._operand()
        self._depth -= 1
        return kind(operand)

    def _number(self) -> Expression:
        found = _NUMBER.match(self.text, self.at)
        if found is None or len(found[0]) > 30:
            raise self.wrong("a number is too long")
        self.at = found.end()
        return Literal(int(found[0]) if found[0].isdecimal() else float(found[0]))

    def _quoted(self, quote: str) -> Expression:
        pieces = []
        self.at += 1
        while True:
            end = self.text.find(quote, self.at)
            if end < 0:
                raise self.wrong(f"a closing {quote} is missing")
            pieces.append(self.text[self.at : end])
            self.at = end + 1
            if not self.accept(quote):  # a quote twice is one in the text
                break
            pieces.append(quote)
        text = "".join(pieces)
        if quote == "'" or not ("$" in text or "#" in text):
            return Literal(text)
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self.wrong("texts are nested too deeply")
        found = Interpolated(self._parse(text))
        self._depth -= 1
        return found

    def _list_or_range(self) -> Expression:
        self.blanks()
        if self.accept("]"):
            return ListOf([])
        first = self.expression()
        self.blanks()
        if self.accept(".."):
            last = self.expression()
            self.expect("]")
            return Range(first, last)
        return ListOf([first, *self.listed_more("]")])

    def listed_more(self, end: str) -> list[Expression]:
        """Read what follows the first of some expressions."""
        self.blanks()
        if self.accept(end):
            return []
        self.expect(",")
        return self.listed(end)

    def _map(self) -> Expression:
        members: list[tuple[Expression, Expression]] = []
        self.blanks()
        while not self.accept("}"):
            if members:
                self.expect(",")
            name = self.expression()
            self.expect(":")
            members.append((name, self.expression()))
            self.blanks()
        return MapOf(members)
