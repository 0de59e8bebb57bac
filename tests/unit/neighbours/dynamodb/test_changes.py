"""Who waits for records is woken by them, and not before."""

from __future__ import annotations

import asyncio

from lambdad.neighbours.dynamodb.changes import Changes


async def test_a_record_wakes_whoever_waits_for_its_stream_alone() -> None:
    changes = Changes()
    mine = asyncio.create_task(changes.wait("mine", changes.seen("mine"), 60))
    other = asyncio.create_task(changes.wait("other", changes.seen("other"), 60))
    await asyncio.sleep(0)
    changes.signal("mine")
    assert await mine is True
    assert not other.done()
    changes.drain()
    assert await other is False


async def test_a_record_that_came_after_asking_is_not_slept_through() -> None:
    changes = Changes()
    seen = changes.seen("mine")
    changes.signal("mine")
    assert await changes.wait("mine", seen, 60) is True
    assert await changes.wait("mine", changes.seen("mine"), 0.001) is False
