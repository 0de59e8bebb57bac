"""How queues are polled, with a queue, a function and time in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from lambdad.domain.event_source_mappings import EventSourceMapping, SourceKind
from lambdad.event_source_mappings.base import AwsRefused, AwsUnreachable, Params
from lambdad.event_source_mappings.calls import Calls
from lambdad.event_source_mappings.counting import Counting
from lambdad.event_source_mappings.pollers.sqs import QueuePoller
from lambdad.observability.metrics import Metrics
from lambdad.testing.clock import FakeClock
from lambdad.testing.event_sources import FakeDoor, NotedResults, a_mapping, fast, until


class FakeQueue:
    """See `event_source_mappings.base.AwsApi`. Mutable: the messages, and what was asked."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.waiting: list[dict[str, Any]] = []
        self.in_flight: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.polls = 0
        self.receiving = 0
        self.failures: list[Exception] = []

    def send(self, *bodies: str, **attributes: str) -> None:
        for body in bodies:
            sent = {"SentTimestamp": str(int(self._clock.time() * 1_000)), **attributes}
            message = {"MessageId": f"id-{body}", "Body": body, "Attributes": sent}
            self.waiting.append({**message, "ReceiptHandle": f"r-{body}"})

    def come_back(self) -> None:
        """Let the visibility timeout pass for all that is in flight."""
        self.waiting += self.in_flight.values()
        self.in_flight.clear()

    async def call(
        self, service: str, region: str, operation: str, params: Params, *, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        await asyncio.sleep(0)
        assert (service, region) == ("sqs", "us-east-1")
        if operation == "GetQueueAttributes":
            return {"Attributes": {"VisibilityTimeout": "30"}}
        if operation == "DeleteMessageBatch":
            return self._delete(params)
        return await self._receive(params)

    def _delete(self, params: Params) -> dict[str, Any]:
        if self.failures and isinstance(self.failures[0], AwsUnreachable):
            raise self.failures.pop(0)
        receipts = [entry["ReceiptHandle"] for entry in params["Entries"]]
        for receipt in receipts:
            self.in_flight.pop(receipt, None)
        self.deleted += [receipt.removeprefix("r-") for receipt in receipts]
        return {"Successful": [{"Id": entry["Id"]} for entry in params["Entries"]]}

    async def _receive(self, params: Params) -> dict[str, Any]:
        self.polls += 1
        if self.failures and isinstance(self.failures[0], AwsRefused):
            raise self.failures.pop(0)
        self.receiving += 1
        try:
            for _ in range(50):
                if self.waiting:
                    break
                await asyncio.sleep(0)
        finally:
            self.receiving -= 1
        count = params["MaxNumberOfMessages"]
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        self.in_flight |= {message["ReceiptHandle"]: message for message in taken}
        if not taken:
            self._clock.advance(params["WaitTimeSeconds"])
        return {"Messages": taken} if taken else {}


class World:
    """One queue and one function."""

    def __init__(self, answer: Any = lambda event: None) -> None:
        self.clock = FakeClock()
        self.queue = FakeQueue(self.clock)
        self.door = FakeDoor(answer)
        self.results = NotedResults()
        self.metrics = Metrics()

    @asynccontextmanager
    async def polling(self, mapping: EventSourceMapping) -> AsyncIterator[QueuePoller]:
        poller = QueuePoller(
            mapping,
            api=self.queue,
            calls=Calls(self.door),
            counting=Counting(mapping, self.metrics, self.clock),
            results=self.results,
            clock=self.clock,
            sleep=fast(self.clock),
        )
        task = asyncio.ensure_future(poller.run())
        try:
            yield poller
        finally:
            self.door.gate.set()
            poller.stop()
            await asyncio.wait_for(task, 10)

    def bodies(self) -> list[list[str]]:
        return [[record["body"] for record in event["Records"]] for event in self.door.events]


def a_queue_mapping(kind: SourceKind = SourceKind.SQS, **settings: Any) -> EventSourceMapping:
    return a_mapping(kind, **settings)


async def test_what_succeeded_is_deleted() -> None:
    world = World()
    world.queue.send(*"abc")
    async with world.polling(a_queue_mapping()):
        await until(lambda: len(world.queue.deleted) == 3)
    assert world.bodies() == [["a", "b", "c"]]
    assert world.results.texts == []


async def test_what_failed_stays_in_the_queue() -> None:
    def fail(event: Any) -> None:
        raise ValueError("no")

    world = World(fail)
    world.queue.send("a")
    async with world.polling(a_queue_mapping()):
        await until(lambda: world.door.events)
        await until(lambda: world.results.texts)
    assert world.queue.deleted == []
    assert set(world.queue.in_flight) == {"r-a"}
    assert world.results.texts == ["PROBLEM: Function call failed"]


async def test_a_problem_is_shown_until_it_is_over() -> None:
    def fail_once(event: Any) -> None:
        if len(world.door.events) == 1:
            raise ValueError("no")

    world = World(fail_once)
    world.queue.send("a")
    async with world.polling(a_queue_mapping()):
        await until(lambda: world.results.texts)
        world.queue.come_back()
        await until(lambda: world.queue.deleted)
    assert world.results.texts == ["PROBLEM: Function call failed", None]


async def test_only_what_is_not_reported_is_deleted() -> None:
    def report(event: Any) -> Any:
        return {"batchItemFailures": [{"itemIdentifier": "id-b"}]}

    world = World(report)
    world.queue.send(*"abc")
    async with world.polling(a_queue_mapping(FunctionResponseTypes=["ReportBatchItemFailures"])):
        await until(lambda: len(world.queue.deleted) == 2)
    assert world.queue.deleted == ["a", "c"]


async def test_an_unknown_item_fails_the_whole_batch() -> None:
    def report(event: Any) -> Any:
        return {"batchItemFailures": [{"itemIdentifier": "stranger"}]}

    world = World(report)
    world.queue.send(*"ab")
    async with world.polling(a_queue_mapping(FunctionResponseTypes=["ReportBatchItemFailures"])):
        await until(lambda: world.door.events)
        await until(lambda: world.queue.receiving >= 4)
    assert world.queue.deleted == []


async def test_a_throttled_batch_is_tried_again_and_not_lost() -> None:
    world = World()
    world.door.throttles = 4
    world.queue.send("a")
    async with world.polling(a_queue_mapping()):
        await until(lambda: world.queue.deleted)
    assert world.bodies() == [["a"]]


async def test_a_throttled_batch_is_left_when_the_queue_would_hand_it_out_again() -> None:
    world = World()
    world.door.throttles = 1_000
    world.queue.send("a")
    async with world.polling(a_queue_mapping()):
        begun = world.clock.monotonic()
        await until(lambda: "PROBLEM: Function call was throttled" in world.results.texts)
        assert world.clock.monotonic() - begun < 120
    assert world.queue.deleted == []
    assert world.door.throttles > 900


async def test_a_failing_function_is_not_called_in_a_hot_loop() -> None:
    def fail(event: Any) -> None:
        world.queue.come_back()
        raise ValueError("no")

    world = World(fail)
    world.queue.send("a")
    begun = world.clock.monotonic()
    async with world.polling(a_queue_mapping(ScalingConfig={"MaximumConcurrency": 2})):
        await until(lambda: len(world.door.events) >= 20)
        assert world.clock.monotonic() - begun > 10


async def test_a_queue_that_cannot_be_read_is_asked_ever_less() -> None:
    world = World()
    code = "AWS.SimpleQueueService.NonExistentQueue"
    world.queue.failures = [AwsRefused(code, "gone", 400) for _ in range(30)]
    begun = world.clock.monotonic()
    async with world.polling(a_queue_mapping()):
        await until(lambda: not world.queue.failures)
        assert world.clock.monotonic() - begun > 60
    assert world.results.texts[0] == f"PROBLEM: {code}: gone"


async def test_a_deletion_is_repeated() -> None:
    world = World()
    world.queue.failures = [AwsUnreachable("no"), AwsUnreachable("no")]
    world.queue.send("a")
    async with world.polling(a_queue_mapping()):
        await until(lambda: world.queue.deleted == ["a"])
    assert world.bodies() == [["a"]]


async def test_concurrency_grows_to_its_maximum_and_no_further() -> None:
    world = World()
    world.door.gate.clear()
    world.queue.send(*(f"{number:03}" for number in range(40)))
    mapping = a_queue_mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 8})
    async with world.polling(mapping):
        await until(lambda: world.door.running == 8)
        await until(lambda: world.queue.receiving == 0)
        assert world.door.running == 8
        world.door.gate.set()
        await until(lambda: len(world.queue.deleted) == 40)
    assert world.door.most == 8


async def test_it_begins_with_five_and_shrinks_when_there_is_nothing_to_do() -> None:
    world = World()
    async with world.polling(a_queue_mapping()):
        await until(lambda: world.queue.receiving == 5)
        await until(lambda: world.queue.polls > 30)
        assert world.queue.receiving <= 2


async def test_a_window_gathers_more_than_one_receipt() -> None:
    world = World()
    world.queue.send(*(f"{number:03}" for number in range(25)))
    mapping = a_queue_mapping(BatchSize=25, MaximumBatchingWindowInSeconds=5)
    async with world.polling(mapping):
        await until(lambda: len(world.queue.deleted) == 25)
    assert [len(batch) for batch in world.bodies()] == [25]


async def test_a_window_ends_with_what_there_is() -> None:
    world = World()
    world.queue.send("a", "b")
    mapping = a_queue_mapping(BatchSize=100, MaximumBatchingWindowInSeconds=5)
    async with world.polling(mapping):
        await until(lambda: len(world.queue.deleted) == 2)
    assert world.bodies() == [["a", "b"]]


async def test_an_event_is_closed_before_it_is_too_large() -> None:
    world = World()
    world.queue.send(*(f"{number}" + "x" * 1_000_000 for number in range(9)))
    async with world.polling(a_queue_mapping()):
        await until(lambda: len(world.queue.deleted) == 9)
    assert sum(map(len, world.bodies())) == 9
    assert len(world.bodies()) >= 2
    assert max(len(json.dumps(event)) for event in world.door.events) < 6 * 1024 * 1024


async def test_what_filters_hold_back_is_deleted_unseen() -> None:
    world = World()
    world.queue.send('{"a": 1}', '{"a": 2}', "text")
    pattern = {"Pattern": json.dumps({"body": {"a": [2]}})}
    mapping = a_queue_mapping(
        FilterCriteria={"Filters": [pattern]}, MetricsConfig={"Metrics": ["EventCount"]}
    )
    async with world.polling(mapping):
        await until(lambda: len(world.queue.deleted) == 3)
    assert world.bodies() == [['{"a": 2}']]
    counts = {
        name: world.metrics.total(name)
        for name in ("PolledEventCount", "FilteredOutEventCount", "DeletedEventCount")
    }
    expected = {"PolledEventCount": 3, "FilteredOutEventCount": 2, "DeletedEventCount": 3}
    assert counts == expected


async def test_a_group_has_one_batch_in_hand_even_if_the_queue_hands_out_more() -> None:
    world = World()
    world.door.gate.clear()
    world.queue.send("a1", MessageGroupId="a")
    async with world.polling(a_queue_mapping(SourceKind.SQS_FIFO)):
        await until(lambda: world.door.running == 1)
        world.queue.send("a2", MessageGroupId="a")
        world.queue.send("b1", MessageGroupId="b")
        await until(lambda: world.door.running == 2)
        world.door.gate.set()
        await until(lambda: {"a1", "b1"} <= set(world.queue.deleted))
        assert ["a2"] not in world.bodies()
        world.queue.come_back()
        await until(lambda: "a2" in world.queue.deleted)


async def test_what_is_in_hand_is_finished_before_polling_ends() -> None:
    world = World()
    world.door.gate.clear()
    world.queue.send("a")
    async with world.polling(a_queue_mapping()) as poller:
        await until(lambda: world.door.running == 1)
        poller.stop()
        await until(lambda: world.queue.receiving == 0)
        polls = world.queue.polls
        world.door.gate.set()
    assert world.queue.deleted == ["a"]
    assert world.queue.polls == polls
