"""What happens to an event before and after an attempt. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum

from lambdad.async_invocation.policies import EventPolicy
from lambdad.domain.async_events import Outcome, Progress, QueuedEvent

# AWS developer guide, "Asynchronous invocation": one minute before the first retry, two before the
# second; throttles and errors of the system back off from one second to five minutes.
RETRY_DELAYS = (1, 2)
BACK_OFF_FIRST_S = 1.0
BACK_OFF_MAX_S = 300.0

# An event during whose attempts the daemon died so often is taken to be the reason.
LOST_MAX = 10

# What a destination does not take in this time will hardly be taken any more.
DELIVERY_AGE_S = 21_600


class Condition(StrEnum):
    """Why an event left the queue, in the words of the destination's record."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"
    RECURSIVE_LOOP = "RecursiveLoop"


class Result(Enum):
    """What an attempt came to: it was carried out and succeeded, or failed, or was refused.

    Refused for now, or for ever because it is part of a loop.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    RECURSIVE = "recursive"


@dataclass(frozen=True, slots=True)
class Finish:
    """The event leaves the queue, and whoever wants to know is told."""

    condition: Condition
    progress: Progress


@dataclass(frozen=True, slots=True)
class Retry:
    """The event waits until `due_ms`."""

    due_ms: int
    progress: Progress


@dataclass(frozen=True, slots=True)
class SetAside:
    """The event is kept for an operator."""

    progress: Progress


Decision = Finish | Retry | SetAside


def back_off_s(refusals: int) -> float:
    """How long to wait after so many refusals in a row."""
    return min(BACK_OFF_FIRST_S * 2.0 ** min(refusals - 1, 16), BACK_OFF_MAX_S)


def expires_ms(queued: QueuedEvent, policy: EventPolicy) -> int:
    """When an event is too old."""
    return queued.event.accepted_ms + policy.event_age_s * 1_000


def poisoned(queued: QueuedEvent) -> SetAside | None:
    """Keep back what kills the daemon whenever it is tried."""
    if queued.lost <= LOST_MAX:
        return None
    outcome = Outcome(
        status_code=500,
        message=f"lambdad ended during each of the last {queued.lost - 1} attempts.",
    )
    return SetAside(replace(queued.progress, outcome=outcome))


def before(queued: QueuedEvent, policy: EventPolicy, now_ms: int) -> Finish | None:
    """Say whether an invocation is worth an attempt: None when it is."""
    if policy.reserved == 0:
        return Finish(Condition.ZERO_RESERVED_CONCURRENCY, queued.progress)
    if now_ms >= expires_ms(queued, policy):
        return Finish(Condition.EVENT_AGE_EXCEEDED, queued.progress)
    return None


def after(
    queued: QueuedEvent,
    policy: EventPolicy,
    result: Result,
    outcome: Outcome,
    *,
    now_ms: int,
    retry_delay_s: float,
) -> Finish | Retry:
    """Decide on an invocation; `retry_delay_s` is the delay before the first retry."""
    progress = queued.progress
    expiry = expires_ms(queued, policy)
    if result is Result.RECURSIVE:
        return Finish(Condition.RECURSIVE_LOOP, replace(progress, outcome=outcome))
    if result is Result.REFUSED:
        # A refusal says less than what the function answered before it.
        kept = progress.outcome if progress.tries else outcome
        refused = replace(progress, refusals=progress.refusals + 1, outcome=kept)
        if now_ms >= expiry:
            return Finish(Condition.EVENT_AGE_EXCEEDED, refused)
        due = now_ms + int(back_off_s(refused.refusals) * 1_000)
        return Retry(min(due, expiry), refused)
    tried = Progress(tries=progress.tries + 1, outcome=outcome)
    if result is Result.SUCCEEDED:
        return Finish(Condition.SUCCESS, tried)
    if tried.tries > policy.retry_attempts:
        return Finish(Condition.RETRIES_EXHAUSTED, tried)
    delay = RETRY_DELAYS[min(tried.tries, len(RETRY_DELAYS)) - 1] * retry_delay_s
    return Retry(min(now_ms + int(delay * 1_000), expiry), tried)


def after_failed_delivery(queued: QueuedEvent, outcome: Outcome, now_ms: int) -> Retry | SetAside:
    """Decide on a record that its target did not take: it is never dropped."""
    refusals = queued.progress.refusals + 1
    progress = Progress(tries=queued.progress.tries + 1, refusals=refusals, outcome=outcome)
    if now_ms >= queued.event.accepted_ms + DELIVERY_AGE_S * 1_000:
        return SetAside(progress)
    return Retry(now_ms + int(back_off_s(refusals) * 1_000), progress)
