"""Records that wait for a subscriber: when they are due, and that they stay bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lambdad.dataplane.telemetry_api.buffer import Allowance, Buffer
from lambdad.dataplane.telemetry_api.subscription import Buffering

BUFFERING = Buffering(max_items=3, max_bytes=100, timeout_ms=500)


def a_buffer(allowance: int = 100_000) -> Buffer:
    return Buffer(BUFFERING, Allowance(allowance))


def test_a_batch_is_due_by_the_age_of_its_first_record() -> None:
    buffer = a_buffer()
    assert buffer.due is None
    buffer.add(b"a", 10.0)
    buffer.add(b"b", 10.4)
    assert buffer.due == 10.5
    assert buffer.take() == [b"a", b"b"]
    assert buffer.due is None


def test_a_complete_batch_is_due_at_once() -> None:
    by_number, by_bytes = a_buffer(), a_buffer()
    for _ in range(3):
        by_number.add(b"a", 10.0)
    by_bytes.add(b"a" * 100, 10.0)
    assert by_number.due == by_bytes.due == float("-inf")


def test_batches_keep_to_their_size_and_a_large_record_is_one_of_its_own() -> None:
    buffer = a_buffer()
    for size in (60, 60, 150, 1):
        buffer.add(b"x" * size, 0.0)
    assert [len(record) for record in buffer.take()] == [60]
    assert [len(record) for record in buffer.take()] == [60]
    assert [len(record) for record in buffer.take()] == [150]
    assert [len(record) for record in buffer.take()] == [1]


def test_what_finds_no_room_is_counted() -> None:
    buffer = a_buffer()
    for _ in range(15):
        buffer.add(b"ab", 0.0)
    assert (len(buffer), buffer.lost_records, buffer.lost_bytes) == (12, 3, 6)


@given(st.lists(st.one_of(st.integers(1, 120), st.none()), max_size=60))
def test_memory_is_bounded_and_comes_back(steps: list[int | None]) -> None:
    allowance = Allowance(1000)
    buffer = Buffer(BUFFERING, allowance)
    held: list[list[bytes]] = []
    added = 0
    for size in steps:
        if size is None:
            held.append(buffer.take())
        else:
            buffer.add(b"x" * size, 0.0)
            added += 1
    waiting = len(buffer) + sum(map(len, held))
    assert waiting + buffer.lost_records == added
    for batch in held:
        buffer.free(batch)
    buffer.discard()
    assert allowance.take(1000)
    assert not allowance.take(1)
