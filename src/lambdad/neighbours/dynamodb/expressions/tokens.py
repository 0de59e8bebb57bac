"""Expressions as tokens, and the names and values that stand for their placeholders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.neighbours.dynamodb.errors import ValidationException
from lambdad.neighbours.dynamodb.values import Value, read

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sharp>#[A-Za-z0-9_]+)|(?P<colon>:[A-Za-z0-9_]+)"
    r"|(?P<number>\d+)|(?P<sign><>|<=|>=|[=<>(),.+\-\[\]])|(?P<end>$)|(?P<bad>.))",
    re.DOTALL,
)
_SHARP, _COLON = re.compile(r"#[A-Za-z0-9_]+"), re.compile(r":[A-Za-z0-9_]+")
_LENGTH_MAX = 4096
END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression: its kind (`name`, `sharp`, `colon`, `number`, `sign`, `end`)."""

    kind: str
    text: str
    start: int
    stop: int

    def is_word(self, word: str) -> bool:
        """Whether it is a keyword, in any case."""
        return self.kind == "name" and self.text.upper() == word


class Placeholders:
    """ExpressionAttributeNames and -Values of a request. Mutable: which of them were used."""

    def __init__(self, names: Mapping[str, str] | None, values: Mapping[str, Any] | None) -> None:
        """Read them.

        Raises:
            ValidationException: a key or a value is not acceptable.
        """
        self._names = names or {}
        if names is not None and not names:
            raise ValidationException("ExpressionAttributeNames must not be empty")
        for key in self._names:
            if _SHARP.fullmatch(key) is None:
                raise ValidationException(
                    f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{key}"'
                )
        if values is not None and not values:
            raise ValidationException("ExpressionAttributeValues must not be empty")
        self._values = {key: _value(key, each) for key, each in (values or {}).items()}
        self._used: set[str] = set()

    def name(self, key: str, expression: str) -> str:
        """Return the attribute's name for `#key`."""
        if key not in self._names:
            raise ValidationException(
                f"Invalid {expression}: An expression attribute name used in the document path is "
                f"not defined; attribute name: {key}"
            )
        self._used.add(key)
        return self._names[key]

    def value(self, key: str, expression: str) -> Value:
        """Return the value for `:key`."""
        if key not in self._values:
            raise ValidationException(
                f"Invalid {expression}: An expression attribute value used in expression is not "
                f"defined; attribute value: {key}"
            )
        self._used.add(key)
        return self._values[key]

    def check_all_used(self) -> None:
        """Refuse what no expression needed."""
        for parameter, given in (("Names", self._names), ("Values", self._values)):
            unused = [key for key in given if key not in self._used]
            if unused:
                raise ValidationException(
                    f"Value provided in ExpressionAttribute{parameter} unused in expressions: "
                    f"keys: {{{', '.join(unused)}}}"
                )


def _value(key: str, value: Mapping[str, Any]) -> Value:
    if _COLON.fullmatch(key) is None:
        raise ValidationException(
            f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{key}"'
        )
    try:
        return read(value)
    except ValidationException as error:
        raise ValidationException(
            f"ExpressionAttributeValues contains invalid value: {error.message} for key {key}"
        ) from error


class Tokens:
    """An expression that is being read. Mutable: how far."""

    def __init__(self, text: str, expression: str) -> None:
        """`expression` is the parameter's name, for refusals."""
        self.expression = expression
        self._text = text
        self._position = 0
        if not text.strip():
            raise self.refusal("The expression can not be empty;")
        if len(text.encode()) > _LENGTH_MAX:
            raise self.refusal(
                "Expression size has exceeded the maximum allowed size; expression size: "
                f"{len(text.encode())}"
            )
        self._tokens = [
            Token(
                match.lastgroup or END,
                match[match.lastgroup or END],
                *match.span(match.lastgroup or END),
            )
            for match in _TOKEN.finditer(text)
        ]

    @property
    def next(self) -> Token:
        """The token that comes now."""
        return self._tokens[self._position]

    def ahead(self) -> Token:
        """The token after that, or the end."""
        return self._tokens[min(self._position + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Return the token that comes now and go on."""
        token = self.next
        if token.kind == "bad":
            raise self.unexpected()
        if token.kind != END:
            self._position += 1
        return token

    def takes(self, text: str) -> bool:
        """Go on if this sign comes now; whether it did."""
        if self.next.kind == "sign" and self.next.text == text:
            self._position += 1
            return True
        return False

    def takes_word(self, word: str) -> bool:
        """Go on if this keyword comes now; whether it did."""
        if self.next.is_word(word):
            self._position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Go on; refuse the expression if anything but this sign comes now."""
        if not self.takes(text):
            raise self.unexpected()

    def expect_word(self, word: str) -> None:
        """Go on; refuse the expression if anything but this keyword comes now."""
        if not self.takes_word(word):
            raise self.unexpected()

    def unexpected(self) -> ValidationException:
        """The error for a token that cannot stand where it does."""
        token = self.next
        before = self._tokens[max(self._position - 1, 0)]
        near = self._text[before.start : self.ahead().stop]
        shown = "<EOF>" if token.kind == END else token.text
        return self.refusal(f'Syntax error; token: "{shown}", near: "{near}"')

    def refusal(self, reason: str) -> ValidationException:
        """The error for this expression."""
        return ValidationException(f"Invalid {self.expression}: {reason}")
