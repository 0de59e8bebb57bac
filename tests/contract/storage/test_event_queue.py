"""Both engines' event queues keep what `lambdad.storage.event_queue` promises."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lambdad.domain.async_events import EventState
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.event_queue_contract import EventQueueContract, take
from lambdad.testing.events import an_event


class TestSqliteEventQueue(EventQueueContract):
    engine_name = "sqlite"


class TestMemoryEventQueue(EventQueueContract):
    engine_name = "memory"
    durable = False


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE async_event SET head = '{' WHERE id = 1",
        "UPDATE async_event SET head = '{}' WHERE id = 1",
        "UPDATE async_event SET head = '[]' WHERE id = 1",
        "UPDATE async_event SET outcome = '[1]' WHERE id = 1",
        "UPDATE async_event SET payload = NULL WHERE id = 1",
    ],
)
async def test_a_row_that_cannot_be_read_is_set_aside_and_holds_up_no_other(
    tmp_path: Path, damage: str
) -> None:
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    for _ in range(2):
        await store.events.enqueue(an_event())
    with sqlite3.connect(tmp_path / "lambdad.db") as connection:
        connection.execute(damage)
    connection.close()
    lane = an_event().lane
    claim = await store.events.claim({lane: 9}, lease_s=30, max_bytes=1_000)
    assert ([event.event_id for event in claim.events], list(claim.unreadable)) == ([2], [1])
    assert await take(store.events, 9) == []
    (summary,) = await store.events.list(state=EventState.SET_ASIDE)
    assert (summary.event_id, "cannot be read" in summary.message) == (1, True)
    assert await store.events.purge(event_id=1) == 1
    await store.close()
