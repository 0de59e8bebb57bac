"""PartiQL's text as tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lambdad.neighbours.dynamodb.errors import ValidationException

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|"(?P<quoted>(?:[^"]|"")*)"|'(?P<text>(?:[^']|'')*)'"""
    r"""|(?P<sign><<|>>|<>|!=|<=|>=|[=<>(),.+\-\[\]{}:?*])|(?P<end>$)|(?P<bad>.))""",
    re.DOTALL,
)
_LENGTH_MAX = 8192
END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement: `number`, `word`, `quoted` (a name), `text`, `sign` or `end`."""

    kind: str
    text: str


class Reader:
    """A statement that is being read. Mutable: how far."""

    def __init__(self, statement: str) -> None:
        if not statement.strip() or len(statement) > _LENGTH_MAX:
            raise ValidationException("Statement must have between 1 and 8192 characters")
        self._tokens = [
            Token(kind, match[kind])
            for match in _TOKEN.finditer(statement)
            for kind in [match.lastgroup or END]
        ]
        self._position = 0

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

    def takes(self, *texts: str) -> bool:
        """Go on if these signs or words come now, words in any case; whether they did."""
        coming = self._tokens[self._position : self._position + len(texts)]
        if len(coming) < len(texts):
            return False
        for token, text in zip(coming, texts, strict=True):
            if token.kind not in ("word", "sign") or token.text.upper() != text:
                return False
        self._position += len(texts)
        return True

    def expect(self, *texts: str) -> None:
        """Go on; refuse the statement if anything else comes now."""
        for text in texts:
            if not self.takes(text):
                raise self.unexpected()

    def unexpected(self) -> ValidationException:
        """The error for a token that cannot stand where it does."""
        token = self.next
        where = "the end" if token.kind == END else f"'{token.text}'"
        return ValidationException(
            f"Statement wasn't well formed, can't be processed: Unexpected {where}"
        )
