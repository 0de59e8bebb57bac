"""Pages of a list that is in memory and sorted by a unique key. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


class InvalidToken(ValueError):
    """A token is none of ours."""


def page(
    items: Iterable[T], key: Callable[[T], str], *, limit: int, token: str | None
) -> tuple[list[T], str | None]:
    """Return the items after a token and the next token; the token is the last key, encoded.

    Raises:
        InvalidToken: see there.
    """
    after = "" if not token else _decoded(token)
    ordered = sorted((item for item in items if not token or key(item) > after), key=key)
    found = ordered[:limit]
    more = len(ordered) > limit
    return found, base64.urlsafe_b64encode(key(found[-1]).encode()).decode() if more else None


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidToken(token) from error
