"""Events on their way through the queue, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.async_invocation.conftest import FAILURE, SUCCESS, World, key_of

from lambdad.domain.async_events import EventState
from lambdad.domain.concurrency import Reservation
from lambdad.domain.errors import (
    HostUnfit,
    RecursiveInvocationException,
    TooManyRequestsException,
)
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
THROTTLE = TooManyRequestsException("Rate Exceeded.", Reason="CallerRateLimitExceeded")


async def test_an_event_runs_once_with_its_own_request_id_and_trace(world: World) -> None:
    await world.deploy("f")
    request_id = await world.send("f", b'{"n":1}')
    await world.settled()
    [(_, invocation)] = world.door.calls
    assert (invocation.request_id, invocation.payload) == (request_id, b'{"n":1}')
    assert invocation.trace_header is not None
    assert await world.left() == 0
    await world.pass_time(100_000)
    assert len(world.door.calls) == 1


async def test_a_failing_function_is_tried_three_times_under_one_request_id(world: World) -> None:
    await world.deploy("f")
    world.door.behaviours["f"] = lambda _: FAILURE
    request_id = await world.send("f")
    await world.settled()
    calls = []
    for seconds in (59, 1, 119, 1, 100_000):
        calls.append(len(world.door.calls))
        await world.pass_time(seconds)
    assert [*calls, len(world.door.calls)] == [1, 1, 2, 2, 3, 3]
    assert {invocation.request_id for _, invocation in world.door.calls} == {request_id}
    assert len({invocation.trace_header for _, invocation in world.door.calls}) == 1
    assert await world.left() == 0
    assert world.metrics.total("AsyncEventsDropped") == 1


async def test_a_failing_function_does_not_delay_another(world: World) -> None:
    await world.deploy("bad", "good")
    world.door.behaviours["bad"] = lambda _: FAILURE
    for _ in range(30):
        await world.send("bad")
    await world.send("good")
    await world.settled()
    assert "good" in world.door.names()


async def test_a_throttled_function_waits_alone_and_loses_nothing(world: World) -> None:
    await world.deploy("busy", "good")
    world.door.behaviours["busy"] = lambda _: THROTTLE
    for _ in range(20):
        await world.send("busy")
        await world.send("good")
    await world.settled()
    assert world.door.names().count("good") == 20
    refused = world.door.names().count("busy")
    assert refused <= 8, "a lane that is refused is not asked for the rest"
    world.door.behaviours["busy"] = lambda _: SUCCESS
    for _ in range(40):
        await world.pass_time(1)
    assert world.door.names().count("busy") == refused + 20
    assert await world.left() == 0


async def test_concurrency_is_found_and_kept_without_asking_again_and_again(world: World) -> None:
    """A function with a concurrency of 3 works through 60 events with few refusals."""
    await world.deploy("f")
    running: set[str] = set()
    refusals = 0
    peak = 0

    async def invoke(key: Any, qualifier: Any, invocation: Invocation) -> InvocationResult:
        nonlocal refusals, peak
        if len(running) >= 3:
            refusals += 1
            raise THROTTLE
        running.add(invocation.request_id)
        peak = max(peak, len(running))
        for _ in range(3):
            await asyncio.sleep(0)
        running.discard(invocation.request_id)
        return SUCCESS

    world.door.invoke = invoke  # type: ignore[method-assign]
    for _ in range(60):
        await world.send("f")
    for _ in range(20):
        await world.settled()
        await world.pass_time(1)
    assert await world.left() == 0
    assert peak == 3
    assert refusals < 30


async def test_the_age_of_an_event_ends_its_waiting(world: World) -> None:
    await world.deploy("f")
    await world.configure("f", event_age_s=60, on_failure=QUEUE)
    world.door.behaviours["f"] = lambda _: THROTTLE
    await world.send("f")
    for _ in range(59):
        await world.pass_time(1)
    assert await world.left() == 1
    for _ in range(31):  # a lane that was refused is looked at so often
        await world.pass_time(1)
    assert await world.left() == 0
    [delivery] = world.courier.delivered
    record = json.loads(delivery.payload)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0


async def test_an_event_of_a_loop_goes_to_the_destination_and_the_dead_letter_queue(
    world: World,
) -> None:
    await world.deploy("f", echoed={"DeadLetterConfig": {"TargetArn": QUEUE}})
    await world.configure("f", on_failure=TOPIC)
    world.door.behaviours["f"] = lambda _: RecursiveInvocationException("a loop")
    await world.send("f", b'{"n":1}')
    await world.settled()
    await world.pass_time(100_000)
    assert len(world.door.calls) == 1
    told = {event.target: event for event in world.courier.delivered}
    record = json.loads(told[TOPIC].payload)
    assert record["requestContext"]["condition"] == "RecursiveLoop"
    assert record["requestPayload"] == {"n": 1}
    assert "responseContext" not in record
    assert told[QUEUE].payload == b'{"n":1}'
    assert (told[QUEUE].details["ErrorCode"], told[QUEUE].details["ErrorMessage"]) == (
        "400",
        "a loop",
    )
    assert world.metrics.total("AsyncEventsDropped") == 1


async def test_without_reserved_concurrency_nothing_runs_and_the_destination_hears_at_once(
    world: World,
) -> None:
    await world.deploy("f", echoed={"DeadLetterConfig": {"TargetArn": TOPIC}})
    await world.configure("f", on_failure=QUEUE)
    reservation = Reservation(key=key_of("f"), limit=0, revision="r")
    await world.store.resources.put(reservation.resource)
    await world.send("f", b'{"n":1}')
    await world.settled()
    assert world.door.calls == []
    assert sorted(event.target or "" for event in world.courier.delivered) == [TOPIC, QUEUE]


async def test_success_is_reported_after_the_event_has_left_the_queue(world: World) -> None:
    await world.deploy("f")
    await world.configure("f", on_success=QUEUE, on_failure=TOPIC)
    await world.send("f")
    await world.settled()
    [delivery] = world.courier.delivered
    assert delivery.target == QUEUE
    assert json.loads(delivery.payload)["responsePayload"] == "ok"


async def test_a_target_that_is_away_is_tried_again_and_the_function_is_not(world: World) -> None:
    await world.deploy("f")
    await world.configure("f", on_success=QUEUE)
    world.courier.broken = True
    await world.send("f")
    await world.settled()
    for _ in range(10):
        await world.pass_time(1)
    assert 3 <= world.courier.tried <= 5, "it backs off"
    assert world.metrics.total("DestinationDeliveryFailures") == world.courier.tried
    world.courier.broken = False
    await world.pass_time(300)
    assert len(world.courier.delivered) == 1
    assert len(world.door.calls) == 1


async def test_what_no_target_takes_is_set_aside_and_never_dropped(world: World) -> None:
    await world.deploy("f", echoed={"DeadLetterConfig": {"TargetArn": QUEUE}})
    world.door.behaviours["f"] = lambda _: FAILURE
    await world.configure("f", retry_attempts=0)
    world.courier.broken = True
    await world.send("f", b'{"n":1}')
    await world.settled()
    for _ in range(100):
        await world.pass_time(300)
    [event] = await world.store.events.list(state=EventState.SET_ASIDE)
    assert (event.target, event.message) == (QUEUE, "the target is away")
    assert world.metrics.total("DeadLetterErrors") > 0


async def test_a_failing_host_is_not_the_functions_failure(world: World) -> None:
    await world.deploy("f")
    failures = iter([HostUnfit("No memory.", "Buy some."), RuntimeError("a defect")])
    world.door.behaviours["f"] = lambda _: next(failures, SUCCESS)
    await world.configure("f", retry_attempts=0)
    await world.send("f")
    for _ in range(10):
        await world.pass_time(1)
    assert len(world.door.calls) == 3
    assert world.metrics.total("AsyncEventsDropped") == 0


async def test_events_of_a_deleted_function_go_with_it(world: World) -> None:
    await world.deploy("f")
    world.door.behaviours["f"] = lambda _: FAILURE
    await world.send("f")
    await world.settled()
    await world.store.functions.delete(key_of("f"))
    await world.pass_time(60)
    assert (len(world.door.calls), await world.left()) == (1, 0)


async def test_what_a_killed_daemon_had_in_hand_runs_again_and_what_poisons_is_set_aside() -> None:
    clock = FakeClock()
    store = engine("memory")(Path("/nowhere"), clock)
    first = World(store, clock)
    await first.deploy("f")
    await first.send("f")
    lane = next(iter(await store.events.lanes()))
    for life in range(12):
        await store.events.claim({lane: 1}, lease_s=30, max_bytes=1)
        again = World(store, clock)
        await again.send("f")  # others go on meanwhile
        async with asyncio.TaskGroup() as group:
            if life in (0, 11):
                group.create_task(again.dispatcher.run())
                await again.settled()
            await again.dispatcher.drain(1)
        if life == 0:
            assert len(again.door.calls) == 2, "it was taken up at the start, lease or not"
            await first.send("f")
        await store.events.recover()
    [aside] = await store.events.list(state=EventState.SET_ASIDE)
    assert "lambdad ended during each of the last" in aside.message


async def test_a_stop_waits_for_what_runs(world: World) -> None:
    await world.deploy("f")
    gate = world.door.held["f"] = asyncio.Event()
    await world.send("f")
    await world.door.called(1)
    async with asyncio.TaskGroup() as group:
        stop = group.create_task(world.dispatcher.drain(30))
        await world.settled()
        assert not stop.done()
        gate.set()
    assert await world.left() == 0


async def test_what_does_not_end_in_time_goes_back_as_if_it_had_never_run(world: World) -> None:
    await world.deploy("f")
    gate = world.door.held["f"] = asyncio.Event()
    await world.send("f")
    await world.door.called(1)
    await world.dispatcher.drain(0)
    [event] = await world.store.events.list()
    assert (event.state, event.tries) == (EventState.WAITING, 0)
    gate.set()
    await world.settled()
    assert await world.left() == 1, "its late end changes nothing"


@pytest.mark.parametrize("capacity", [1, 3])
async def test_no_more_are_in_hand_than_there_is_room_for(capacity: int) -> None:
    clock = FakeClock()
    world = World(engine("memory")(Path("/nowhere"), clock), clock, capacity=capacity)
    await world.deploy("f", "g")
    world.door.held = {"f": asyncio.Event(), "g": asyncio.Event()}
    for _ in range(10):
        await world.send("f")
        await world.send("g")
    async with asyncio.TaskGroup() as group:
        group.create_task(world.dispatcher.run())
        await world.settled()
        assert len(world.door.calls) == capacity == world.dispatcher.in_hand
        for gate in world.door.held.values():
            gate.set()
        await world.settled()
        await world.dispatcher.drain(5)
    assert len(world.door.calls) == 20


async def test_a_queue_that_fails_for_a_while_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that fails is repeated; what could not be settled comes back by its lease."""
    await world.deploy("f")
    claim, done = world.store.events.claim, world.store.events.done
    failures = iter([HostUnfit("No space.", "Free some."), ValueError("a defect")])

    async def failing(*arguments: Any, **options: Any) -> Any:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return await claim(*arguments, **options)

    async def broken(*_: Any) -> bool:
        monkeypatch.setattr(world.store.events, "done", done)
        raise ValueError("a defect")

    monkeypatch.setattr(world.store.events, "claim", failing)
    monkeypatch.setattr(world.store.events, "done", broken)
    await world.send("f")
    for _ in range(10):
        await world.pass_time(1)
    assert len(world.door.calls) == 1
    await world.pass_time(30)
    assert len(world.door.calls) == 2
    assert await world.left() == 0
