"""Promises of `lambdad.storage.event_queue.EventQueue`, as a pytest class."""

# ruff: noqa: D102 - the name of a test states its promise

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest

from lambdad.domain.async_events import (
    AsyncEvent,
    EventKind,
    EventState,
    Outcome,
    Progress,
    QueuedEvent,
    delivery_lane,
)
from lambdad.storage.base import Engine, EventQueue
from lambdad.storage.registry import engine as engine_by_name
from lambdad.testing.clock import FakeClock
from lambdad.testing.events import an_event

F = an_event("f").lane
G = an_event("g").lane
LEASE_S = 30.0


async def take(
    queue: EventQueue, count: int = 1, lane: str = F, max_bytes: int = 1_000_000
) -> list[QueuedEvent]:
    """Claim so many events of one lane."""
    claim = await queue.claim({lane: count}, lease_s=LEASE_S, max_bytes=max_bytes)
    return list(claim.events)


class EventQueueContract:
    """Promises of the event queue; attributes as for functions."""

    engine_name: ClassVar[str]
    durable: ClassVar[bool] = True

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The engine's clock."""
        return FakeClock()

    @pytest.fixture
    async def engine(self, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Engine]:
        """An open engine on an empty directory."""
        engine = engine_by_name(self.engine_name)(tmp_path, clock)
        await engine.open()
        yield engine
        await engine.close()

    @pytest.fixture
    def queue(self, engine: Engine) -> EventQueue:
        """Its event queue."""
        return engine.events

    @pytest.mark.parametrize("size", [2, 2_048, 2_049, 1_048_576])
    async def test_an_event_comes_out_as_it_went_in(self, queue: EventQueue, size: int) -> None:
        event = an_event(
            qualifier="live",
            payload=b"x" * size,
            trace_header="Root=1-2-3",
            tenant_id="blue",
            details={"ErrorMessage": "Grüße \ud800"},
        )
        event_id = await queue.enqueue(event)
        (claimed,) = await take(queue)
        assert claimed.event == event
        assert (claimed.event_id, claimed.attempt, claimed.lost) == (event_id, 1, 1)
        assert claimed.progress == Progress()
        assert await queue.show(event_id) == claimed

    async def test_what_is_claimed_is_invisible_until_its_lease_ends(
        self, queue: EventQueue, clock: FakeClock
    ) -> None:
        await queue.enqueue(an_event())
        assert len(await take(queue)) == 1
        clock.advance(LEASE_S - 1)
        assert await take(queue) == []
        clock.advance(1)
        (again,) = await take(queue)
        assert (again.attempt, again.lost) == (2, 2)

    async def test_a_claim_takes_the_first_due_of_each_lane_up_to_its_slots(
        self, queue: EventQueue, clock: FakeClock
    ) -> None:
        for number in range(5):
            await queue.enqueue(an_event("f", request_id=f"f{number}"))
            await queue.enqueue(an_event("g", request_id=f"g{number}"))
            clock.advance(0.001)
        claim = await queue.claim({F: 2, G: 3}, lease_s=LEASE_S, max_bytes=1_000)
        taken = [claimed.event.request_id for claimed in claim.events]
        assert sorted(taken) == ["f0", "f1", "g0", "g1", "g2"]
        epoch_ms = an_event().accepted_ms
        assert claim.next_due == {F: epoch_ms + 2, G: epoch_ms + 3}

    async def test_a_lane_without_events_has_nothing_due(self, queue: EventQueue) -> None:
        claim = await queue.claim({F: 1}, lease_s=LEASE_S, max_bytes=1)
        assert (list(claim.events), claim.next_due) == ([], {F: None})

    async def test_a_claim_stops_at_the_bytes_it_may_take_but_one_always_fits(
        self, queue: EventQueue
    ) -> None:
        for _ in range(4):
            await queue.enqueue(an_event(payload=b"x" * 100))
        assert len(await take(queue, 4, max_bytes=1)) == 1
        assert len(await take(queue, 4, max_bytes=150)) == 2

    async def test_what_is_done_is_gone(self, queue: EventQueue, clock: FakeClock) -> None:
        await queue.enqueue(an_event(payload=b"x" * 100_000))
        (claimed,) = await take(queue)
        assert await queue.done(claimed.event_id, claimed.attempt) is True
        assert await queue.done(claimed.event_id, claimed.attempt) is False
        clock.advance(2 * LEASE_S)
        assert await take(queue) == []
        assert await queue.show(claimed.event_id) is None

    async def test_what_follows_is_stored_with_the_removal_or_not_at_all(
        self, queue: EventQueue
    ) -> None:
        target = "arn:aws:sqs:us-east-1:000000000000:q"
        lane = delivery_lane(an_event().key, target)
        report = an_event(kind=EventKind.DELIVERY, lane=lane, target=target)
        await queue.enqueue(an_event())
        (claimed,) = await take(queue)
        assert await queue.done(claimed.event_id, claimed.attempt + 1, report) is False
        assert await queue.lanes() == {F: claimed.visible_ms}
        assert await queue.done(claimed.event_id, claimed.attempt, report) is True
        (delivery,) = await take(queue, lane=lane)
        assert delivery.event == report

    async def test_a_late_worker_changes_nothing(self, queue: EventQueue, clock: FakeClock) -> None:
        """Whoever lost an event to another claim cannot remove, move or keep it."""
        await queue.enqueue(an_event())
        (late,) = await take(queue)
        clock.advance(LEASE_S)
        (current,) = await take(queue)
        held = (late.event_id, late.attempt)
        assert await queue.done(*held) is False
        assert await queue.retry(*held, due_ms=0, progress=Progress(tries=9)) is False
        assert await queue.release(*held) is False
        assert await queue.set_aside(*held, Progress(tries=9)) is False
        assert await queue.extend([held], lease_s=LEASE_S) == 0
        assert await queue.show(late.event_id) == current

    async def test_a_retry_is_due_when_it_says_and_remembers_how_far_it_came(
        self, queue: EventQueue, clock: FakeClock
    ) -> None:
        await queue.enqueue(an_event())
        (claimed,) = await take(queue)
        outcome = Outcome(
            status_code=200,
            message="no",
            executed_version="3",
            function_error="Unhandled",
            payload=b'{"errorMessage":"no"}',
        )
        progress = Progress(tries=1, refusals=0, outcome=outcome)
        due_ms = int(clock.time() * 1000) + 60_000
        held = (claimed.event_id, claimed.attempt)
        assert await queue.retry(*held, due_ms=due_ms, progress=progress) is True
        assert await queue.lanes() == {F: due_ms}
        assert await take(queue) == []
        clock.advance(60)
        (again,) = await take(queue)
        assert (again.attempt, again.lost, again.progress) == (2, 1, progress)
        refused = Progress(tries=1, refusals=1, outcome=Outcome(status_code=429))
        await queue.retry(again.event_id, again.attempt, due_ms=due_ms, progress=refused)
        assert (await take(queue))[0].progress == refused

    async def test_what_is_released_was_never_claimed(self, queue: EventQueue) -> None:
        await queue.enqueue(an_event())
        (claimed,) = await take(queue)
        assert await queue.release(claimed.event_id, claimed.attempt) is True
        assert await queue.done(claimed.event_id, claimed.attempt) is False
        (again,) = await take(queue)
        assert (again.lost, again.progress) == (1, Progress())

    async def test_an_extended_lease_lasts_longer(
        self, queue: EventQueue, clock: FakeClock
    ) -> None:
        await queue.enqueue(an_event())
        await queue.enqueue(an_event())
        first, second = await take(queue, 2)
        clock.advance(LEASE_S - 1)
        held = [(first.event_id, first.attempt), (second.event_id, 77)]
        assert await queue.extend(held, lease_s=LEASE_S) == 1
        clock.advance(2)
        assert [claimed.event_id for claimed in await take(queue, 9)] == [second.event_id]

    async def test_recovery_ends_the_leases_of_the_dead(self, queue: EventQueue) -> None:
        for _ in range(3):
            await queue.enqueue(an_event())
        await take(queue, 2)
        assert await queue.recover() == 2
        assert [claimed.lost for claimed in await take(queue, 3)] == [2, 2, 1]

    async def test_what_is_set_aside_is_kept_and_left_alone_until_it_is_revived(
        self, queue: EventQueue, clock: FakeClock
    ) -> None:
        event_id = await queue.enqueue(an_event())
        (claimed,) = await take(queue)
        why = Progress(tries=2, outcome=Outcome(status_code=500, message="why"))
        assert await queue.set_aside(event_id, claimed.attempt, why) is True
        clock.advance(1_000_000)
        assert await take(queue) == []
        assert await queue.lanes() == {}
        (summary,) = await queue.list(state=EventState.SET_ASIDE)
        assert (summary.event_id, summary.message, summary.visible_ms) == (event_id, "why", None)
        assert await queue.revive(event_id) == F
        (again,) = await take(queue)
        assert (again.lost, again.progress.tries) == (1, 0)
        assert again.event.accepted_ms == int(clock.time() * 1000), "its age begins anew"
        assert await queue.revive(event_id) is None, "somebody works on it"
        assert await queue.revive(event_id + 1) is None

    async def test_events_are_counted_by_state(self, queue: EventQueue) -> None:
        for number in range(4):
            await queue.enqueue(an_event(accepted_ms=1_000 + number))
        first, _ = await take(queue, 2)
        await queue.set_aside(first.event_id, first.attempt, Progress())
        counts = await queue.counts()
        assert (counts.waiting, counts.running, counts.set_aside) == (2, 1, 1)
        assert counts.oldest_ms == 1_000

    async def test_events_are_listed_by_function_and_state_in_pages(
        self, queue: EventQueue
    ) -> None:
        lane = delivery_lane(an_event("f").key, "arn:aws:sns:us-east-1:0:t")
        events = [
            an_event("f", payload=b"123", request_id="r1", qualifier="7"),
            an_event("g"),
            an_event("f", lane=lane, kind=EventKind.DELIVERY, target="arn:aws:sns:us-east-1:0:t"),
            an_event("f-2"),
            an_event("f"),
        ]
        ids = [await queue.enqueue(event) for event in events]

        async def listed(
            lane: str | None = None,
            state: EventState | None = None,
            after: int = 0,
            limit: int = 100,
        ) -> list[int]:
            found = await queue.list(lane=lane, state=state, after=after, limit=limit)
            return [ids.index(each.event_id) for each in found]

        assert await listed() == [0, 1, 2, 3, 4]
        assert await listed(limit=2, after=ids[1]) == [2, 3]
        assert await listed(lane=F) == [0, 2, 4]
        await take(queue, 1)
        assert await listed(state=EventState.RUNNING) == [0]
        assert await listed(lane=F, state=EventState.WAITING) == [2, 4]
        (first, *_) = await queue.list()
        assert first.function_arn == "arn:aws:lambda:us-east-1:000000000000:function:f:7"
        assert (first.size, first.request_id, first.state) == (3, "r1", EventState.RUNNING)

    async def test_purging_removes_what_fits_and_nothing_else(self, queue: EventQueue) -> None:
        ids = [await queue.enqueue(an_event("f")) for _ in range(3)]
        await queue.enqueue(an_event("g"))
        assert await queue.purge(event_id=ids[0]) == 1
        assert await queue.purge(event_id=ids[0]) == 0
        await take(queue, 1)
        assert await queue.purge(lane=F, state=EventState.WAITING) == 1
        assert [each.event_id for each in await queue.list(lane=F)] == [ids[1]]
        for _ in range(1_200):
            await queue.enqueue(an_event("f"))
        assert await queue.purge(lane=F) == 1_201
        assert (await queue.counts()).waiting == 1

    async def test_nothing_follows_from_what_was_purged_while_it_ran(
        self, queue: EventQueue
    ) -> None:
        await queue.enqueue(an_event())
        (claimed,) = await take(queue)
        assert await queue.purge(lane=F) == 1
        assert await queue.done(claimed.event_id, claimed.attempt, an_event("g")) is False
        assert await queue.lanes() == {}

    async def test_an_id_is_never_used_again(self, queue: EventQueue) -> None:
        first = await queue.enqueue(an_event())
        (claimed,) = await take(queue)
        await queue.done(first, claimed.attempt)
        assert await queue.enqueue(an_event()) > first

    async def test_claims_at_the_same_time_never_share_an_event(self, queue: EventQueue) -> None:
        for _ in range(50):
            await queue.enqueue(an_event())
        taken = await asyncio.gather(*(take(queue, 3) for _ in range(20)))
        ids = [claimed.event_id for claimed_here in taken for claimed in claimed_here]
        assert len(ids) == len(set(ids)) == 50

    async def test_events_are_there_after_a_restart(
        self, engine: Engine, tmp_path: Path, clock: FakeClock
    ) -> None:
        if not self.durable:
            pytest.skip("this engine forgets")
        event: AsyncEvent = an_event(payload=b"y" * 5_000)
        await engine.events.enqueue(event)
        await engine.close()
        again = engine_by_name(self.engine_name)(tmp_path, clock)
        await again.open()
        (claimed,) = await take(again.events)
        assert claimed.event == event
        await again.close()
