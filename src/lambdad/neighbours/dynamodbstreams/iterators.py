"""Shard iterators: where somebody is in a stream, as a text that they hand back."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from lambdad.neighbours.dynamodb.errors import (
    ExpiredIteratorException,
    TrimmedDataAccessException,
    ValidationException,
)
from lambdad.neighbours.dynamodb.model import Stream

_LIFE_MS = 15 * 60 * 1_000
# Sequence numbers have 21 digits, so that texts and numbers order alike.
_BASE = 10**20


@dataclass(frozen=True, slots=True)
class Iterator:
    """A position: what comes after a sequence of a stream.

    Attributes:
        exact: the position was asked for; it is an error if the next record is gone.
    """

    arn: str
    after: int
    issued_ms: int
    exact: bool = False

    def text(self) -> str:
        """Return it for a client, behind the stream's ARN as AWS has it."""
        document = json.dumps([self.after, self.issued_ms, self.exact]).encode()
        return f"{self.arn}|1|{base64.b64encode(document).decode()}"

    def check_next(self, trimmed: int) -> None:
        """Refuse to skip records; `trimmed` is the newest sequence that is not kept any more."""
        if self.exact and self.after < trimmed:
            raise TrimmedDataAccessException(
                "The operation attempted to read past the oldest stream record in a shard."
            )


def parse(text: str, now_ms: int) -> Iterator:
    """Return the position that a client hands back.

    Raises:
        ExpiredIteratorException: it is older than fifteen minutes.
        ValidationException: it is none of ours.
    """
    arn, _, encoded = text.rpartition("|1|")
    try:
        after, issued_ms, exact = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise ValidationException("Invalid ShardIterator") from error
    if not isinstance(after, int) or not isinstance(issued_ms, int):
        raise ValidationException("Invalid ShardIterator")
    if now_ms - issued_ms > _LIFE_MS:
        raise ExpiredIteratorException(
            "Iterator expired. The iterator was created more than 15 minutes ago."
        )
    return Iterator(arn, after, issued_ms, bool(exact))


def sequence_text(sequence: int) -> str:
    """Return a sequence number as clients see it."""
    return str(_BASE + sequence)


def sequence_of(text: str, stream: Stream) -> int:
    """Return a sequence number that a client sent.

    Raises:
        ValidationException: the stream cannot have it.
    """
    number = int(text) - _BASE if text.isdecimal() else -1
    if number < stream.first_sequence - 1:
        raise ValidationException(
            f"Invalid SequenceNumber: {text} is not a sequence number of the shard"
        )
    return number
