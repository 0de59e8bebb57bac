"""Contracts of those who poll, and what they share.

A poller serves one mapping: it takes records from a source, gives them to the function, and tells
the source, or the checkpoint, how far it has come. Whatever it does is at least once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from lambdad.domain.event_source_mappings import EventSourceMapping

Params = Mapping[str, Any]
# Of so many seconds; tests hand in one that only advances their clock.
Sleep = Callable[[float], Awaitable[None]]

OK = "OK"
FUNCTION_FAILED = "PROBLEM: Function call failed"


class AwsRefused(Exception):
    """The service answered with an error.

    Attributes:
        code: as the service names it, for example `AWS.SimpleQueueService.NonExistentQueue`.
        status: of HTTP.
    """

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.status = status


class AwsUnreachable(Exception):
    """Nobody answered, or not to the end; the text says why."""


class Problem(Exception):
    """A source cannot be polled now; the text is for `LastProcessingResult`."""

    def __init__(self, text: str) -> None:
        super().__init__(f"PROBLEM: {text}")


class AwsApi(Protocol):
    """AWS services as one account sees them."""

    async def call(
        self, service: str, region: str, operation: str, params: Params, *, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        """Call an operation of a service that speaks JSON; blobs stay in base64.

        Raises:
            AwsRefused: the service answered with an error.
            AwsUnreachable: it did not answer.
        """
        ...


class Poller(Protocol):
    """Serves one mapping."""

    async def run(self) -> None:
        """Poll until :meth:`stop`, then return when all that was taken is dealt with."""
        ...

    def stop(self) -> None:
        """Take nothing more. What is in hand goes on."""
        ...


class Results(Protocol):
    """Where the outcome of a mapping's last attempt is shown."""

    async def note_result(self, mapping: EventSourceMapping, text: str | None) -> None:
        """Store `LastProcessingResult`; None for a mapping that has nothing to say."""
        ...
