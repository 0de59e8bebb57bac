"""Opaque tokens by which a reader goes on where it stopped. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from lambdad.api.logs.service import InvalidParameterException

# AWS's tokens have 56 digits; ours say which event they stand at, and nothing else.
_POSITION = re.compile(r"(?P<direction>[fb])/(?P<timestamp>\d{20})(?P<event>\d{36})(/s)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventToken:
    """Where `GetLogEvents` goes on: before or behind `(timestamp_ms, event_id)`."""

    forward: bool
    position: tuple[int, int]

    def __str__(self) -> str:
        timestamp_ms, event_id = self.position
        return f"{'f' if self.forward else 'b'}/{timestamp_ms:020d}{event_id:036d}/s"


def parse_event_token(text: str) -> EventToken:
    """Read a token of `GetLogEvents`.

    Raises:
        InvalidParameterException: it is none.
    """
    match = _POSITION.fullmatch(text)
    if match is None:
        raise invalid_token()
    return EventToken(
        forward=match["direction"] == "f",
        position=_within_range(int(match["timestamp"]), int(match["event"])),
    )


def position_token(position: tuple[int, int]) -> str:
    """Write the token that continues behind an event in `FilterLogEvents`."""
    return name_token(f"{position[0]} {position[1]}")


def parse_position_token(text: str) -> tuple[int, int]:
    """Read a token of `FilterLogEvents`.

    Raises:
        InvalidParameterException: it is none.
    """
    match = re.fullmatch(r"(\d{1,20}) (\d{1,20})", parse_name_token(text))
    if match is None:
        raise invalid_token()
    return _within_range(int(match[1]), int(match[2]))


def name_token(name: str) -> str:
    """Write the token that continues behind a name."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def parse_name_token(text: str) -> str:
    """Read a token of a listing.

    Raises:
        InvalidParameterException: it is none.
    """
    try:
        return base64.b64decode(text.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_token() from error


def invalid_token() -> InvalidParameterException:
    """Say that a token is not one of ours."""
    return InvalidParameterException("The specified nextToken is invalid.")


def _within_range(timestamp_ms: int, event_id: int) -> tuple[int, int]:
    if max(timestamp_ms, event_id) >= 2**63:
        raise invalid_token()
    return timestamp_ms, event_id
