"""Retries, back-off and ends of events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.async_invocation.policies import EventPolicy
from lambdad.async_invocation.retry_policy import (
    BACK_OFF_MAX_S,
    DELIVERY_AGE_S,
    LOST_MAX,
    Condition,
    Finish,
    Result,
    Retry,
    SetAside,
    after,
    after_failed_delivery,
    back_off_s,
    before,
    poisoned,
)
from lambdad.domain.async_events import EventState, Outcome, Progress, QueuedEvent
from lambdad.testing.events import an_event

ACCEPTED_MS = an_event().accepted_ms
FAILED = Outcome(status_code=200, function_error="Unhandled", payload=b"{}")
THROTTLED = Outcome(status_code=429, message="Rate Exceeded.")


def queued(*, lost: int = 1, **progress: Any) -> QueuedEvent:
    return QueuedEvent(
        event_id=1,
        attempt=1,
        lost=lost,
        visible_ms=0,
        state=EventState.RUNNING,
        event=an_event(),
        progress=Progress(**progress),
    )


def decide(
    event: QueuedEvent, result: Result, outcome: Outcome, *, age_s: float = 0, **policy: Any
) -> Finish | Retry:
    now_ms = ACCEPTED_MS + int(age_s * 1_000)
    return after(event, EventPolicy(**policy), result, outcome, now_ms=now_ms, retry_delay_s=60)


def test_an_event_that_is_part_of_a_loop_is_dropped_at_once() -> None:
    refusal = Outcome(status_code=400, message="recursive")
    found = decide(queued(), Result.RECURSIVE, refusal)
    assert found == Finish(Condition.RECURSIVE_LOOP, Progress(outcome=refusal))


def test_a_function_that_fails_is_tried_after_one_minute_and_after_two_more() -> None:
    first = decide(queued(), Result.FAILED, FAILED)
    assert first == Retry(ACCEPTED_MS + 60_000, Progress(tries=1, outcome=FAILED))
    second = decide(queued(tries=1), Result.FAILED, FAILED)
    assert second == Retry(ACCEPTED_MS + 120_000, Progress(tries=2, outcome=FAILED))
    third = decide(queued(tries=2), Result.FAILED, FAILED)
    assert third == Finish(Condition.RETRIES_EXHAUSTED, Progress(tries=3, outcome=FAILED))


@pytest.mark.parametrize("retry_attempts", [0, 1])
def test_fewer_retries_can_be_configured(retry_attempts: int) -> None:
    last = decide(
        queued(tries=retry_attempts), Result.FAILED, FAILED, retry_attempts=retry_attempts
    )
    assert isinstance(last, Finish)


def test_success_ends_at_once() -> None:
    outcome = Outcome(status_code=200, payload=b"1")
    assert decide(queued(tries=1), Result.SUCCEEDED, outcome) == Finish(
        Condition.SUCCESS, Progress(tries=2, outcome=outcome)
    )


def test_throttles_back_off_and_use_up_no_retry() -> None:
    refused = decide(queued(tries=2, refusals=3), Result.REFUSED, THROTTLED)
    assert isinstance(refused, Retry)
    assert refused.due_ms == ACCEPTED_MS + 8_000
    assert (refused.progress.tries, refused.progress.refusals) == (2, 4)


def test_what_the_function_answered_outlives_a_throttle() -> None:
    refused = decide(queued(tries=1, outcome=FAILED), Result.REFUSED, THROTTLED)
    assert refused.progress.outcome == FAILED
    assert decide(queued(), Result.REFUSED, THROTTLED).progress.outcome == THROTTLED


def test_back_off_ends_with_the_age_of_the_event() -> None:
    late = decide(queued(refusals=9), Result.REFUSED, THROTTLED, age_s=59, event_age_s=60)
    assert isinstance(late, Retry)
    assert late.due_ms == ACCEPTED_MS + 60_000
    over = decide(queued(refusals=9), Result.REFUSED, THROTTLED, age_s=60, event_age_s=60)
    assert isinstance(over, Finish)
    assert over.condition is Condition.EVENT_AGE_EXCEEDED


def test_what_is_too_old_or_has_no_concurrency_is_not_tried() -> None:
    event = queued()
    assert before(event, EventPolicy(event_age_s=60), ACCEPTED_MS + 59_999) is None
    assert before(event, EventPolicy(event_age_s=60), ACCEPTED_MS + 60_000) == Finish(
        Condition.EVENT_AGE_EXCEEDED, Progress()
    )
    assert before(event, EventPolicy(reserved=0), ACCEPTED_MS) == Finish(
        Condition.ZERO_RESERVED_CONCURRENCY, Progress()
    )


@given(st.integers(1, 10_000))
def test_back_off_grows_from_a_second_to_five_minutes(refusals: int) -> None:
    assert 1 <= back_off_s(refusals) <= back_off_s(refusals + 1) <= BACK_OFF_MAX_S


def test_what_kills_the_daemon_each_time_is_set_aside() -> None:
    assert poisoned(queued(lost=LOST_MAX)) is None
    assert isinstance(poisoned(queued(lost=LOST_MAX + 1)), SetAside)


def test_a_record_that_is_not_taken_is_never_dropped() -> None:
    failure = Outcome(status_code=500, message="no")
    again = after_failed_delivery(queued(refusals=1), failure, ACCEPTED_MS)
    assert again == Retry(ACCEPTED_MS + 2_000, Progress(tries=1, refusals=2, outcome=failure))
    too_late = ACCEPTED_MS + DELIVERY_AGE_S * 1_000
    assert isinstance(after_failed_delivery(queued(), failure, too_late), SetAside)
