"""Streams without a wire: who is woken, and what is cleared away when it is too old."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.neighbours.kinesis.errors import ExpiredIteratorException
from lambdad.neighbours.kinesis.log import Incoming
from lambdad.neighbours.kinesis.model import HASH_MAX, Shard, hash_ranges, parse_sequence
from lambdad.neighbours.kinesis.parts import Streams
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

KEY = ("000000000000", "us-east-1", "s")
SETTINGS = {"retention_hours": 24, "encryption": "NONE"}
DAY_S = 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def streams(clock: FakeClock, tmp_path: Path) -> AsyncIterator[Streams]:
    store = engine("memory")(tmp_path, clock)
    await store.open()
    db = store.database("kinesis")
    await db.open()
    yield Streams(db, clock)
    await db.close()
    await store.close()


def incoming(data: bytes) -> Incoming:
    return Incoming(partition_key="k", data=data)


@given(st.integers(1, 300))
def test_ranges_cover_every_hash_key_once(count: int) -> None:
    ranges = hash_ranges(count)
    assert (ranges[0][0], ranges[-1][1], len(ranges)) == (0, HASH_MAX, count)
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(ranges))


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 10**12 - 1))
def test_sequence_numbers_are_ordered_as_positions_are(one: int, two: int, number: int) -> None:
    shard = Shard(
        id=1,
        number=number,
        first_hash=0,
        last_hash=1,
        parent=None,
        adjacent_parent=None,
        first_position=0,
    )
    texts = [shard.sequence(position) for position in (one, two)]
    assert (int(texts[0]) < int(texts[1])) is (one < two)
    assert [parse_sequence(text, shard) for text in texts] == [one, two]


async def test_who_waits_is_woken_by_a_record(streams: Streams) -> None:
    stream = await streams.create(KEY, SETTINGS, 1)
    token = streams.log.iterator(stream, stream.shards[0], stream.shards[0].newest).token()
    waiting = asyncio.create_task(streams.log.arrival(token, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    await streams.log.put(stream, [incoming(b"x")])
    assert await waiting
    assert await streams.log.arrival(token, 60)


async def test_nobody_waits_for_a_shard_that_ends_or_a_daemon_that_stops(streams: Streams) -> None:
    stream = await streams.create(KEY, SETTINGS, 2)
    tokens = [
        streams.log.iterator(stream, each, each.newest).token() for each in stream.shards.values()
    ]
    ending, staying = [asyncio.create_task(streams.log.arrival(token, 60)) for token in tokens]
    await asyncio.sleep(0)
    async with stream.changing:
        await streams.reshard(stream, [stream.shards[0]], [])
    assert await ending
    streams.drain()
    assert not await staying


async def test_an_iterator_is_good_for_five_minutes(streams: Streams, clock: FakeClock) -> None:
    stream = await streams.create(KEY, SETTINGS, 1)
    token = streams.log.iterator(stream, stream.shards[0], 0).token()
    clock.advance(300.0)
    streams.log.resolve(token)
    clock.advance(0.1)
    with pytest.raises(ExpiredIteratorException):
        streams.log.resolve(token)


async def test_old_records_cannot_be_read_and_are_removed(
    streams: Streams, clock: FakeClock
) -> None:
    stream = await streams.create(KEY, SETTINGS, 1)
    await streams.log.put(stream, [incoming(b"old")])
    clock.advance(DAY_S - 1)
    await streams.log.put(stream, [incoming(b"new")])
    clock.advance(2.0)
    batch = await streams.log.read(stream, stream.shards[0], 0, 10)
    assert [each.data for each in batch.records] == [b"new"]
    await streams.sweep()
    kept = await streams.db.read(lambda db: db.execute("SELECT data FROM record").fetchall())
    assert kept == [(b"new",)]


async def test_a_closed_shard_goes_with_its_last_record(streams: Streams, clock: FakeClock) -> None:
    stream = await streams.create(KEY, SETTINGS, 1)
    parent = stream.shards[0]
    child = Shard(
        id=0,
        number=1,
        first_hash=0,
        last_hash=HASH_MAX,
        parent=0,
        adjacent_parent=None,
        first_position=0,
    )
    await streams.log.put(stream, [incoming(b"old")])
    async with stream.changing:
        await streams.reshard(stream, [parent], [child])
    await streams.sweep()
    assert list(stream.shards) == [0, 1]
    clock.advance(DAY_S + 1)
    await streams.sweep()
    assert list(stream.shards) == [1]


async def test_a_clock_that_goes_back_keeps_the_order(streams: Streams, clock: FakeClock) -> None:
    stream = await streams.create(KEY, SETTINGS, 1)
    ((_, first),) = await streams.log.put(stream, [incoming(b"1")])
    clock.set_to(clock.time() - 3_600)
    ((_, second),) = await streams.log.put(stream, [incoming(b"2")])
    assert second > first
