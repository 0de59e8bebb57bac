"""How much of an HTTP/1.1 request is taken, and how it is said that one is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lambdad.protocol.http import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Http1Limits:
    """How much of one request is taken.

    Attributes:
        head_bytes: request line and headers, the final empty line included.
        body_bytes: the decoded body.
        whole_bytes: a body so large may come with any head; see `RequestParser.whole`.
        sink: takes the body piece by piece as it comes in; the request then has an empty one.
    """

    head_bytes: int
    body_bytes: int
    whole_bytes: int = 0
    sink: Callable[[bytes], None] | None = None


OnHead = Callable[[str, str, Mapping[str, str]], Http1Limits | None]
"""Told method, raw path and headers before the body; may answer with other limits."""


class BadHttp(Exception):
    """The peer's bytes cannot be served; answer with `status`, then close the connection.

    Attributes:
        status: HTTP status that fits: 400, 405, 413, 417, 431, 501 or 505.
        reason: one sentence for the peer.
        requests: whole requests that came before in the same bytes; to be answered first.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.requests: list[HttpRequest] = []
