"""Taking in events: what is accepted is on the disk before the caller hears of it."""

from __future__ import annotations

from typing import Protocol

from lambdad.async_invocation import metric_names
from lambdad.dataplane.tracing import trace_header
from lambdad.domain import limits
from lambdad.domain.arns import FunctionKey
from lambdad.domain.async_events import AsyncEvent, EventKind, invocation_lane
from lambdad.domain.clock import Clock
from lambdad.domain.errors import RequestTooLargeException
from lambdad.observability.metrics import Metrics
from lambdad.storage.base import EventQueue


class Listener(Protocol):
    """Told that a lane has something to do."""

    def note(self, lane: str, due_ms: int) -> None:
        """A lane has an event that is due then."""
        ...


class AsyncInvocations:
    """The way into the queue."""

    def __init__(
        self, queue: EventQueue, *, listener: Listener, clock: Clock, metrics: Metrics
    ) -> None:
        self._queue = queue
        self._listener = listener
        self._clock = clock
        self._metrics = metrics

    async def accept(
        self,
        key: FunctionKey,
        qualifier: str | None,
        *,
        request_id: str,
        payload: bytes,
        trace: str | None,
        tenant_id: str | None = None,
    ) -> str:
        """Store an event and return its trace header; the function need not be able to run now.

        Raises:
            HostUnfit: it could not be stored; nothing was accepted.
        """
        now = self._clock.time()
        # One trace for all attempts.
        header = trace_header(trace, now)
        event = AsyncEvent(
            kind=EventKind.INVOCATION,
            lane=invocation_lane(key),
            key=key,
            qualifier=qualifier,
            request_id=request_id,
            payload=payload,
            accepted_ms=int(now * 1_000),
            trace_header=header,
            tenant_id=tenant_id,
        )
        await self._queue.enqueue(event)
        self._metrics.add(metric_names.RECEIVED, key.arn())
        self._listener.note(event.lane, event.accepted_ms)
        return header


def check_event_size(size: int) -> None:
    """Refuse an event that is too large.

    Raises:
        RequestTooLargeException: with AWS's text.
    """
    _check(size, limits.ASYNC_EVENT_BYTES_MAX, "InvokeFunction")


def check_invoke_async_size(size: int) -> None:
    """Refuse what is too large for the operation of 2014.

    Raises:
        RequestTooLargeException: with AWS's text.
    """
    _check(size, limits.INVOKE_ASYNC_BYTES_MAX, "InvokeAsync")


def _check(size: int, limit: int, operation: str) -> None:
    if size > limit:
        raise RequestTooLargeException(
            f"Request must be smaller than {limit} bytes for the {operation} operation"
        )
