"""What happened last is kept, in order, and waited for."""

from __future__ import annotations

import asyncio

from lambdad.observability.activity import KEPT, Activity, Happening
from lambdad.testing.clock import FakeClock


def a_happening(**changes: object) -> Happening:
    values = {"source": "sqs", "arn": "a", "function": "f", "request_id": "r", "result": "ok"}
    return Happening(**{**values, **changes})  # type: ignore[arg-type]


def test_the_last_are_kept_in_order() -> None:
    activity = Activity(FakeClock())
    for number in range(KEPT + 5):
        activity.note(a_happening(size=number))
    kept = [noted.happening.size for noted in activity.since(0)]
    assert kept == list(range(5, KEPT + 5))
    assert [noted.number for noted in activity.since(KEPT + 3)] == [KEPT + 4, KEPT + 5]


def test_an_event_is_its_announcers() -> None:
    activity = Activity(FakeClock())
    activity.expect("r", "s3", "arn:bucket")
    assert activity.expected("r") == ("s3", "arn:bucket")
    assert activity.expected("other") == ("async", "")


async def test_waiting_ends_with_what_happens() -> None:
    activity = Activity(FakeClock())
    async with asyncio.timeout(30):
        waiting = asyncio.create_task(activity.wait(0, 60))
        await asyncio.sleep(0)
        assert not waiting.done()
        activity.note(a_happening())
        await waiting
        await activity.wait(0, 60)


def test_the_latest_of_a_mapping_is_known() -> None:
    activity = Activity(FakeClock())
    activity.note(a_happening(mapping="m", size=1))
    activity.note(a_happening(mapping="m", size=2))
    latest = activity.latest("m")
    assert latest is not None
    assert latest.happening.size == 2
    assert activity.latest("n") is None
