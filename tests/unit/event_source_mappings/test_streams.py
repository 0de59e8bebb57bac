"""How streams are polled, with streams, functions and time in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.event_source_mappings.stream_world import QUEUE, Bell, World, run_to

from lambdad.event_source_mappings.base import AwsRefused
from lambdad.event_source_mappings.checkpoints import Checkpoint
from lambdad.testing.event_sources import (
    a_mapping,
    a_record,
    until,
)


async def test_records_arrive_in_order_in_batches_and_are_checkpointed() -> None:
    world, mapping = World(), a_mapping(BatchSize=4)
    world.stream.open("s-0")
    world.stream.put("s-0", *map(a_record, range(10)))
    await run_to(world, mapping, "9")
    assert world.batches() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert world.results.texts == ["OK"]


async def test_an_idle_shard_is_read_again_as_soon_as_there_is_something() -> None:
    world, mapping = World(), a_mapping()
    world.wake = bell = Bell()
    # No pause of the reader ever ends: only the bell wakes it.
    world.longest_s = 0.0
    world.stream.open("s-0")
    async with world.polling(mapping):
        await until(lambda: bell.waits == 1)
        world.stream.put("s-0", a_record(0))
        bell.rung.set()
        await until(lambda: world.numbers() == [0] and bell.waits == 2)


async def test_a_poller_goes_on_behind_the_checkpoint_of_the_one_before() -> None:
    world, mapping = World(), a_mapping()
    world.stream.open("s-0")
    world.stream.put("s-0", *map(a_record, range(3)))
    await run_to(world, mapping, "2")
    world.stream.put("s-0", a_record(3))
    await run_to(world, mapping, "3")
    assert world.numbers() == [0, 1, 2, 3]


async def test_latest_means_from_when_the_mapping_was_made_even_after_a_restart() -> None:
    world, mapping = World(), a_mapping(StartingPosition="LATEST")
    now = world.clock.time()
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0, arrived_s=now - 100))
    async with world.polling(mapping):
        await until(lambda: world.stream.positions)
    world.stream.put("s-0", a_record(1, arrived_s=world.clock.time() + 1))
    await run_to(world, mapping, "1")
    assert world.numbers() == [1]


async def test_children_are_read_once_their_parents_are_done() -> None:
    world, mapping = World(), a_mapping(StartingPosition="TRIM_HORIZON")
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0), a_record(1))
    world.stream.open("s-1", "s-0")
    world.stream.open("s-2", "s-0")
    world.stream.put("s-1", a_record(2))
    world.stream.put("s-2", a_record(3))
    world.door.gate.clear()
    async with world.polling(mapping):
        await until(lambda: world.door.running == 1)
        assert {shard for shard, _ in world.stream.positions} == {"s-0"}
        world.door.gate.set()
        await until(lambda: len(world.numbers()) == 4)
    assert world.numbers()[:2] == [0, 1]
    assert world.checkpoint(mapping, "s-0").done


async def test_of_a_latest_mapping_children_that_come_later_are_read_whole() -> None:
    world, mapping = World(), a_mapping(StartingPosition="LATEST")
    world.stream.open("s-0")
    async with world.polling(mapping):
        await until(lambda: world.stream.positions)
        world.stream.open("s-1", "s-0")
        world.stream.put("s-1", a_record(5))
        await until(lambda: world.numbers() == [5])


async def test_a_failing_batch_is_tried_again_until_its_attempts_are_used_up() -> None:
    def fail(event: Any) -> None:
        if any(record["n"] < 2 for record in event["Records"]):
            raise ValueError("no")

    world = World(fail)
    mapping = a_mapping(
        BatchSize=2, MaximumRetryAttempts=2, DestinationConfig={"OnFailure": {"Destination": QUEUE}}
    )
    world.stream.open("s-0")
    world.stream.put("s-0", *map(a_record, range(3)))
    await run_to(world, mapping, "2")
    assert world.batches() == [[0, 1]] * 3 + [[2]]
    [event] = world.sent
    document = json.loads(event.payload)
    assert event.target == QUEUE
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 3
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert document["KinesisBatchInfo"] == {
        "shardId": "s-0",
        "startSequenceNumber": "0",
        "endSequenceNumber": "1",
        "approximateArrivalOfFirstRecord": "0.0",
        "approximateArrivalOfLastRecord": "0.0",
        "batchSize": 2,
        "streamArn": mapping.settings["EventSourceArn"],
    }
    assert "payload" not in document
    assert world.results.texts == ["PROBLEM: Function call failed", "OK"]


async def test_a_bucket_is_told_the_whole_event() -> None:
    def fail(event: Any) -> None:
        raise ValueError("no")

    world = World(fail)
    bucket = {"OnFailure": {"Destination": "arn:aws:s3:::b"}}
    mapping = a_mapping(MaximumRetryAttempts=0, DestinationConfig=bucket)
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0))
    await run_to(world, mapping, "0")
    payload = json.loads(json.loads(world.sent[0].payload)["payload"])
    assert payload == {"Records": [{"n": 0, "key": "k"}]}
    assert world.sent[0].details["object_key"].startswith(f"aws/lambda/{mapping.uuid}/s-0/2025/")


async def test_bisecting_isolates_a_poisonous_record() -> None:
    def fail(event: Any) -> None:
        if any(record["n"] == 5 for record in event["Records"]):
            raise ValueError("poison")

    world = World(fail)
    mapping = a_mapping(BatchSize=8, BisectBatchOnFunctionError=True, MaximumRetryAttempts=1)
    world.stream.open("s-0")
    world.stream.put("s-0", *map(a_record, range(8)))
    await run_to(world, mapping, "7")
    succeeded = [batch for batch in world.batches() if 5 not in batch]
    assert [number for batch in succeeded for number in batch] == [0, 1, 2, 3, 4, 6, 7]
    assert world.batches().count([5]) == 2


async def test_a_reported_failure_is_where_the_batch_is_taken_up_again() -> None:
    tries: list[int] = []

    def report(event: Any) -> Any:
        numbers = [record["n"] for record in event["Records"]]
        if 2 in numbers and tries.count(2) == 0:
            tries.append(2)
            return {"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "2"}]}
        return {"batchItemFailures": []}

    world = World(report)
    mapping = a_mapping(FunctionResponseTypes=["ReportBatchItemFailures"])
    world.stream.open("s-0")
    world.stream.put("s-0", *map(a_record, range(5)))
    await run_to(world, mapping, "4")
    assert world.batches() == [[0, 1, 2, 3, 4], [2, 3, 4]]


async def test_records_that_are_too_old_are_given_up_untried() -> None:
    world = World()
    mapping = a_mapping(
        MaximumRecordAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": QUEUE}}
    )
    now = world.clock.time()
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0, arrived_s=now - 100), a_record(1, arrived_s=now))
    await run_to(world, mapping, "1")
    assert world.batches() == [[1]]
    document = json.loads(world.sent[0].payload)
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in document


async def test_throttles_count_as_no_attempt() -> None:
    world, mapping = World(), a_mapping(MaximumRetryAttempts=0)
    world.door.throttles = 5
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0))
    await run_to(world, mapping, "0")
    assert world.batches() == [[0]]
    assert world.results.texts == ["PROBLEM: Function call was throttled", "OK"]


async def test_lanes_work_side_by_side_and_keep_the_order_of_each_key() -> None:
    world, mapping = World(), a_mapping(BatchSize=1, ParallelizationFactor=4)
    world.stream.open("s-0")
    records = [a_record(number, key=f"k{number % 6}") for number in range(60)]
    world.stream.put("s-0", *records)
    world.door.gate.clear()
    async with world.polling(mapping):
        await until(lambda: world.door.running > 1)
        assert world.door.running <= 4
        world.door.gate.set()
        await until(lambda: world.checkpoint(mapping).sequence == "59")
    assert sorted(world.numbers()) == list(range(60))
    for key in range(6):
        mine = [number for number in world.numbers() if number % 6 == key]
        assert mine == sorted(mine)


async def test_a_checkpoint_waits_for_the_slowest_lane() -> None:
    def answer(event: Any) -> None:
        if event["Records"][0]["key"] == "slow":
            raise ValueError("not yet")

    world, mapping = World(answer), a_mapping(BatchSize=1, ParallelizationFactor=10)
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0, key="a"), a_record(1, key="slow"))
    world.stream.put("s-0", *(a_record(number, key="b") for number in range(2, 6)))
    async with world.polling(mapping):
        await until(lambda: 5 in world.numbers())
    assert world.checkpoint(mapping).sequence == "0"


async def test_filtered_records_move_the_checkpoint() -> None:
    pattern = json.dumps({"data": {"n": [{"numeric": [">", 7]}]}})
    world = World()
    mapping = a_mapping(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    world.stream.open("s-0")
    world.stream.put("s-0", *map(a_record, range(10)))
    await run_to(world, mapping, "9")
    assert world.numbers() == [8, 9]
    world.stream.put("s-0", a_record(3), a_record(11))
    await run_to(world, mapping, "11")


async def test_windows_carry_their_state_and_end() -> None:
    def total(event: Any) -> Any:
        count = event["state"].get("count", 0) + len(event["Records"])
        return {"state": {"count": count}}

    world, mapping = World(total), a_mapping(BatchSize=2, TumblingWindowInSeconds=60)
    begin = world.clock.time() // 60 * 60 + 60
    world.clock.set_to(begin)
    world.stream.open("s-0")
    world.stream.put("s-0", *(a_record(n, arrived_s=begin + n) for n in range(3)))
    world.stream.put("s-0", a_record(3, arrived_s=begin + 61))
    async with world.polling(mapping):
        await until(lambda: len(world.door.events) == 5)
    shape = [
        (len(e["Records"]), e["state"].get("count"), e["isFinalInvokeForWindow"])
        for e in world.door.events
    ]
    assert shape == [(2, None, False), (1, 2, False), (0, 3, True), (1, None, False), (0, 1, True)]
    first = world.door.events[0]
    assert first["shardId"] == "s-0"
    assert first["eventSourceARN"] == mapping.settings["EventSourceArn"]
    assert first["isWindowTerminatedEarly"] is False
    assert first["window"]["start"].endswith("Z")


async def test_an_open_window_survives_a_restart_with_its_state() -> None:
    def total(event: Any) -> Any:
        return {"state": {"count": event["state"].get("count", 0) + len(event["Records"])}}

    world, mapping = World(total), a_mapping(TumblingWindowInSeconds=900)
    begin = world.clock.time() // 900 * 900
    world.clock.set_to(begin)
    world.longest_s, world.stream.idle_s = 5.0, 0.0
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0, arrived_s=begin))
    await run_to(world, mapping, "0")
    world.stream.put("s-0", a_record(1, arrived_s=begin + 1))
    await run_to(world, mapping, "1")
    assert [event["state"] for event in world.door.events] == [{}, {"count": 1}]


async def test_a_function_that_gives_no_state_back_has_failed() -> None:
    world, mapping = World(), a_mapping(TumblingWindowInSeconds=60, MaximumRetryAttempts=0)
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0, arrived_s=world.clock.time()))
    await run_to(world, mapping, "0")
    assert world.results.texts[0] == "PROBLEM: Function call failed"


async def test_an_expired_iterator_is_renewed_where_reading_was() -> None:
    world, mapping = World(), a_mapping()
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0))
    async with world.polling(mapping):
        await until(lambda: world.numbers() == [0])
        world.stream.errors.append(AwsRefused("ExpiredIteratorException", "", 400))
        await until(lambda: not world.stream.errors)
        world.stream.put("s-0", a_record(1))
        await until(lambda: world.numbers() == [0, 1])
    assert "PROBLEM" not in "".join(map(str, world.results.texts))


async def test_what_is_wrong_with_the_stream_is_shown_until_it_is_right() -> None:
    world, mapping = World(), a_mapping()
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0))
    world.stream.errors.append(AwsRefused("AccessDeniedException", "no", 400))
    await run_to(world, mapping, "0")
    assert world.results.texts == ["PROBLEM: AccessDeniedException: no", "OK"]


async def test_two_daemons_never_poll_a_mapping_together() -> None:
    world, mapping = World(), a_mapping()
    first = world.checkpoints("one", alone=False)
    second = world.checkpoints("two", alone=False)
    lease = await first.take(mapping)
    assert lease is not None
    assert await second.take(mapping) is None
    world.clock.advance(31)
    taken = await second.take(mapping)
    assert taken is not None
    assert taken.epoch == lease.epoch + 1
    with pytest.raises(Exception, match=mapping.uuid):
        await first.save(mapping, lease, Checkpoint(shard_id="s-0", sequence="1"))
    assert world.checkpoints().of(mapping) == {}


async def test_who_lost_the_lease_gives_way() -> None:
    world, mapping = World(), a_mapping()
    world.stream.open("s-0")
    async with world.polling(mapping, world.checkpoints("one", alone=False)):
        await until(lambda: world.checkpoints().of(mapping))
        await world.checkpoints("two").take(mapping)
        world.stream.put("s-0", a_record(0))
        await until(lambda: world.numbers() == [0])
    assert world.checkpoint(mapping).sequence is None


async def test_a_mapping_that_goes_away_leaves_nothing() -> None:
    world, mapping = World(), a_mapping()
    world.stream.open("s-0")
    world.stream.put("s-0", a_record(0))
    await run_to(world, mapping, "0")
    await world.checkpoints().forget(mapping)
    assert world.checkpoints().of(mapping) == {}
    assert world.store.resources.all("poller-lease") == []
