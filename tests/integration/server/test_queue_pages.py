"""The operator's pages of the queue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lambdad.domain.async_events import EventKind, Outcome, Progress, delivery_lane
from lambdad.observability.metrics import Metrics
from lambdad.protocol.http import HttpRequest
from lambdad.server.queue_pages import QueuePages
from lambdad.storage.base import EventQueue
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.events import an_event

JSON = {"content-type": "application/json"}
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


class Told:
    """Hears of lanes."""

    def __init__(self) -> None:
        self.lanes: list[str] = []
        self.in_hand = 0

    def note(self, lane: str, due_ms: int) -> None:
        self.lanes.append(lane)


class Pages:
    def __init__(self, queue: EventQueue) -> None:
        self.queue = queue
        self.told = Told()
        self._pages = QueuePages(queue, self.told, Metrics())

    async def ask(
        self, path: str = "", query: str = "", *, method: str = "GET", headers: Any = JSON
    ) -> tuple[int, Any]:
        request = HttpRequest(method=method, path="/", query=query, headers=headers)
        response = await self._pages.handle(request, path)
        return response.status, json.loads(response.body)


@pytest.fixture
async def pages() -> Pages:
    queue = engine("memory")(Path("/nowhere"), FakeClock()).events
    lane = delivery_lane(an_event().key, QUEUE)
    await queue.enqueue(an_event("f", payload=b'{"n":1}'))
    await queue.enqueue(an_event("f", kind=EventKind.DELIVERY, lane=lane, target=QUEUE))
    await queue.enqueue(an_event("g", payload=b"\xff"))
    claim = await queue.claim({an_event("g").lane: 1}, lease_s=30, max_bytes=9)
    held = (claim.events[0].event_id, claim.events[0].attempt)
    await queue.set_aside(*held, Progress(outcome=Outcome(status_code=500, message="why")))
    return Pages(queue)


async def test_the_queue_is_counted_and_listed(pages: Pages) -> None:
    status, document = await pages.ask()
    assert status == 200
    assert document["counts"]["waiting"] == 2
    assert document["counts"]["set_aside"] == 1
    assert document["metrics"]["AsyncEventsReceived"] == 0
    assert [event["id"] for event in document["events"]] == [1, 2, 3]
    assert document["events"][1]["target"] == QUEUE
    assert document["next"] is None


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("function=f", [1, 2]),
        ("function=arn:aws:lambda:us-east-1:000000000000:function:g", [3]),
        ("function=arn:aws:lambda:eu-west-1:000000000000:function:g", []),
        ("state=set-aside", [3]),
        ("after=1&limit=1", [2]),
    ],
)
async def test_lists_are_narrowed(pages: Pages, query: str, ids: list[int]) -> None:
    _, document = await pages.ask(query=query)
    assert [event["id"] for event in document["events"]] == ids


async def test_one_event_is_shown_with_its_payload(pages: Pages) -> None:
    assert (await pages.ask("1"))[1]["payload"] == '{"n":1}'
    _, aside = await pages.ask("3")
    assert (aside["state"], aside["message"], aside["payload"]) == ("set-aside", "why", "/w==")
    assert (await pages.ask("9"))[0] == 404


async def test_a_retry_makes_an_event_due_and_wakes_the_dispatcher(pages: Pages) -> None:
    assert (await pages.ask("3/retry", method="POST"))[0] == 200
    assert pages.told.lanes == [an_event("g").lane]
    assert (await pages.queue.counts()).waiting == 3
    assert (await pages.ask("9/retry", method="POST"))[0] == 404


async def test_a_purge_removes_what_fits(pages: Pages) -> None:
    assert await pages.ask("purge", "id=1", method="POST") == (200, {"purged": 1})
    assert await pages.ask("purge", "state=set-aside", method="POST") == (200, {"purged": 1})
    assert await pages.ask("purge", "function=f", method="POST") == (200, {"purged": 1})


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("x", "", 400),
        ("-1", "", 400),
        ("", "state=lost", 400),
        ("", "limit=many", 400),
        ("", "function=a b", 400),
    ],
)
async def test_what_makes_no_sense_is_refused(
    pages: Pages, path: str, query: str, expected: int
) -> None:
    assert (await pages.ask(path, query))[0] == expected


async def test_a_form_of_another_site_changes_nothing(pages: Pages) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    for headers in ({}, form, {"content-type": "text/plain"}):
        assert (await pages.ask("purge", method="POST", headers=headers))[0] == 415
    assert (await pages.ask(method="DELETE"))[0] == 405
    assert (await pages.queue.counts()).waiting == 2
