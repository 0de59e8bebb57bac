"""An event on its way through the asynchronous queue: what was accepted, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lambdad.domain.arns import FunctionKey


class EventKind(StrEnum):
    """What is to be done with an event."""

    INVOCATION = "invocation"
    DELIVERY = "delivery"


class EventState(StrEnum):
    """Where an event is.

    `set-aside` means that nothing is done with it until an operator says so.
    """

    WAITING = "waiting"
    RUNNING = "running"
    SET_ASIDE = "set-aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncEvent:
    """What was accepted and may not be lost.

    Attributes:
        lane: events of a lane share their limits and their back-off; lanes do not wait for each
            other. See :func:`invocation_lane`.
        key: the function that is invoked, or whose invocation is reported.
        qualifier: as the caller gave it, or None.
        request_id: of the caller's request; the same for every attempt.
        payload: the event, or the record to deliver; JSON bytes that are carried and not parsed.
        accepted_ms: epoch milliseconds; ages count from here.
        tenant_id: whose environment it runs in, where the function isolates tenants.
        target: ARN that a delivery goes to, else None.
        details: what else a delivery needs, as text.
    """

    kind: EventKind
    lane: str
    key: FunctionKey
    qualifier: str | None
    request_id: str
    payload: bytes
    accepted_ms: int
    trace_header: str | None = None
    tenant_id: str | None = None
    target: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the last attempt came to.

    Attributes:
        status_code: 200 when the function ran, else the HTTP status of the refusal.
        message: for people, at most 1 KiB.
        payload: what the function answered; None when it did not run.
    """

    status_code: int
    message: str = ""
    executed_version: str | None = None
    function_error: str | None = None
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is known of the attempts so far.

    Attributes:
        tries: how often it was carried out; what retries are counted by.
        refusals: how often in a row it could not be carried out; what back-off grows by.
        outcome: of the last attempt; None before the first.
    """

    tries: int = 0
    refusals: int = 0
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedEvent:
    """An event with its place in the queue.

    Attributes:
        event_id: unique, never used again.
        attempt: number of the last claim; whoever holds another number has lost the event.
        lost: claims since the last one whose outcome was recorded, this one included.
        visible_ms: when it is due or its lease ends; None when it is set aside.
    """

    event_id: int
    attempt: int
    lost: int
    visible_ms: int | None
    state: EventState
    event: AsyncEvent
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSummary:
    """A queued event without what may be large."""

    event_id: int
    state: EventState
    kind: EventKind
    function_arn: str
    request_id: str
    target: str | None
    accepted_ms: int
    visible_ms: int | None
    tries: int
    size: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCounts:
    """How many events there are; `oldest_ms` is when the oldest was accepted."""

    waiting: int = 0
    running: int = 0
    set_aside: int = 0
    oldest_ms: int | None = None


def invocation_lane(key: FunctionKey) -> str:
    """The lane of a function's invocations, all its qualifiers together."""
    return f"{key.account_id}/{key.region}/{key.name}"


def delivery_lane(key: FunctionKey, target: str) -> str:
    """The lane of what a function sends to a target."""
    return f"{invocation_lane(key)}>{target}"


def state_of(visible_ms: int | None, lost: int, now_ms: int) -> EventState:
    """Read the state off a row: a claim without outcome runs until its lease ends."""
    if visible_ms is None:
        return EventState.SET_ASIDE
    return EventState.RUNNING if lost and visible_ms > now_ms else EventState.WAITING
