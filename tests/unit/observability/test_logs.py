"""Function logs on their way to the store."""

import asyncio
import contextlib
import timeit
from collections.abc import AsyncIterator

import pytest

from lambdad.config.sections import LogsConfig
from lambdad.domain.limits import LOG_EVENT_BYTES_MAX
from lambdad.domain.logs import LogEvent, LogGroupKey
from lambdad.observability.logs import LogsNotStored, LogWriter
from lambdad.observability.retention import LogRetention
from lambdad.testing.clock import FakeClock

GROUP = LogGroupKey(account_id="000000000000", region="us-east-1", name="/aws/lambda/hello")
OTHER = LogGroupKey(account_id="000000000000", region="eu-west-1", name="/aws/lambda/hello")
AT_ONCE = LogsConfig(flush_interval_s=0.0)
SMALL = LogsConfig(flush_interval_s=0.0, buffer_bytes=2 * 1024 * 1024)


class ScriptedStore:
    """Appends when its gate is open, and fails while `fault` is set."""

    def __init__(self) -> None:
        self.events: list[tuple[LogGroupKey, LogEvent]] = []
        self.transactions = 0
        self.fault: Exception | None = None
        self.tried = asyncio.Event()
        self.stored = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, batches) -> None:
        self.tried.set()
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.transactions += 1
        for group, segments in batches:
            self.events += [(group, event) for segment in segments for event in segment.events()]
        self.stored.set()

    @property
    def messages(self) -> list[str]:
        return [event.message for _, event in self.events]


@contextlib.asynccontextmanager
async def running(writer: LogWriter) -> AsyncIterator[None]:
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(writer.run())
        yield
        await writer.close()


async def test_events_reach_the_store_in_order_without_being_asked_for():
    store = ScriptedStore()
    writer = LogWriter(store, FakeClock(), AT_ONCE)
    async with running(writer):
        writer.stream(GROUP, "a").write(1, "first\n")
        writer.stream(OTHER, "b").write(2, "elsewhere\n")
        writer.stream(GROUP, "a").write(3, "second\n")
        await store.stored.wait()
    assert [(group, event.stream, event.message) for group, event in store.events] == [
        (GROUP, "a", "first\n"),
        (GROUP, "a", "second\n"),
        (OTHER, "b", "elsewhere\n"),
    ]
    assert store.transactions == 1


async def test_flush_returns_when_all_is_stored_even_if_nobody_runs_the_writer():
    store = ScriptedStore()
    writer = LogWriter(store, FakeClock(), LogsConfig(flush_interval_s=3_600))
    stream = writer.stream(GROUP, "a")
    for number in range(5_000):
        stream.write(number, f"{number}\n")
    await writer.flush()
    assert store.messages == [f"{number}\n" for number in range(5_000)]


async def test_a_flush_waits_for_the_batch_under_way():
    store = ScriptedStore()
    store.gate.clear()
    writer = LogWriter(store, FakeClock(), AT_ONCE)
    async with running(writer):
        writer.stream(GROUP, "a").write(1, "slow\n")
        await store.tried.wait()
        async with asyncio.TaskGroup() as tasks:
            flush = tasks.create_task(writer.flush())
            await asyncio.sleep(0)
            assert not flush.done()
            store.gate.set()
        assert store.messages == ["slow\n"]


async def test_many_bytes_are_stored_before_the_interval_ends():
    store = ScriptedStore()
    writer = LogWriter(store, FakeClock(), LogsConfig(flush_interval_s=3_600))
    stream = writer.stream(GROUP, "a")
    async with running(writer):
        for number in range(8):
            stream.write(number, "x" * 200_000)
        await store.stored.wait()
        assert store.events


async def test_writers_are_asked_to_wait_while_the_store_is_slow():
    store = ScriptedStore()
    store.gate.clear()
    writer = LogWriter(store, FakeClock(), SMALL)
    stream = writer.stream(GROUP, "a")
    async with running(writer):
        written = 0
        while not writer.congested:
            stream.write(1, "x" * 100_000)
            written += 100_000
        assert 2_000_000 < written <= 2_200_000
        store.gate.set()
        await writer.uncongested()
        assert not writer.congested
    assert writer.dropped_events == 0


async def test_a_store_that_hangs_cannot_make_the_buffer_grow_without_end():
    store = ScriptedStore()
    store.gate.clear()
    writer = LogWriter(store, FakeClock(), SMALL)
    stream = writer.stream(GROUP, "a")
    async with running(writer):
        for number in range(200):
            stream.write(number, "x" * 100_000)
        assert writer._bytes <= 2 * SMALL.buffer_bytes
        assert writer.dropped_events > 100
        store.gate.set()
    assert store.events[-1][1].timestamp_ms == 199


async def test_a_full_disk_costs_the_oldest_events_and_says_so(caplog):
    store = ScriptedStore()
    store.fault = OSError(28, "No space left on device")
    writer = LogWriter(store, FakeClock(), SMALL)
    stream = writer.stream(GROUP, "a")
    for number in range(100):
        stream.write(number, "x" * 100_000)
    with pytest.raises(LogsNotStored):
        await writer.flush()
    assert writer._bytes <= SMALL.buffer_bytes
    assert not writer.congested
    dropped = writer.dropped_events
    assert 0 < dropped < 100
    store.fault = None
    await writer.flush()
    assert store.messages[0] == (
        f"{dropped} log events ({dropped * 100_000} characters) were dropped: "
        "the log store failed.\n"
    )
    assert [event.timestamp_ms for _, event in store.events[1:]] == list(range(dropped, 100))
    assert "No space left on device" in caplog.text


async def test_functions_do_not_wait_for_a_store_that_fails():
    store = ScriptedStore()
    store.fault = OSError("gone")
    writer = LogWriter(store, FakeClock(), SMALL)
    stream = writer.stream(GROUP, "a")
    stream.write(1, "x")
    with pytest.raises(LogsNotStored):
        await writer.flush()
    for number in range(1_000):
        stream.write(number, "x" * 100_000)
    assert not writer.congested
    assert writer._bytes <= SMALL.buffer_bytes


async def test_a_failed_batch_is_stored_once_the_store_works_again():
    store = ScriptedStore()
    store.fault = OSError("gone")
    writer = LogWriter(store, FakeClock(), AT_ONCE)
    async with running(writer):
        writer.stream(GROUP, "a").write(1, "kept\n")
        await store.tried.wait()
        store.fault = None
        await writer.flush()
        assert store.messages == ["kept\n"]
    assert store.messages == ["kept\n"]


async def test_close_stores_what_is_left_and_later_writes_are_ignored():
    store = ScriptedStore()
    writer = LogWriter(store, FakeClock(), LogsConfig(flush_interval_s=3_600))
    async with running(writer):
        writer.stream(GROUP, "a").write(1, "last words\n")
    writer.stream(GROUP, "a").write(2, "too late\n")
    await writer.close()
    assert store.messages == ["last words\n"]


async def test_cancelling_the_writer_loses_nothing():
    store = ScriptedStore()
    store.gate.clear()
    writer = LogWriter(store, FakeClock(), AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(writer.run())
        writer.stream(GROUP, "a").write(1, "under way\n")
        await store.tried.wait()
        run.cancel()
    store.gate.set()
    await writer.close()
    assert store.messages == ["under way\n"]


async def test_text_that_is_no_unicode_or_too_long_is_made_storable():
    store = ScriptedStore()
    writer = LogWriter(store, FakeClock(), AT_ONCE)
    stream = writer.stream(GROUP, "a")
    stream.write(1, "lone \ud800\n")
    stream.write(2, "y" * (LOG_EVENT_BYTES_MAX + 1))
    stream.write(3, "")
    await writer.flush()
    assert store.messages == ["lone ?\n", "y" * LOG_EVENT_BYTES_MAX, "y"]


async def test_what_ended_streams_have_left_is_bounded_while_the_store_fails():
    store = ScriptedStore()
    store.fault = OSError("gone")
    writer = LogWriter(store, FakeClock(), SMALL)
    for number in range(100):
        writer.stream(GROUP, f"{number}").write(number, "x" * 60_000)
    with pytest.raises(LogsNotStored):
        await writer.flush()
    assert writer.dropped_events > 60
    store.fault = None
    await writer.flush()
    kept = [event for _, event in store.events if event.message.startswith("x")]
    assert [event.timestamp_ms for event in kept] == list(range(writer.dropped_events, 100))


async def test_an_idle_writer_sleeps():
    store = ScriptedStore()
    writer = LogWriter(store, FakeClock(), AT_ONCE)
    async with running(writer):
        for _ in range(50):
            await asyncio.sleep(0)
        assert not store.tried.is_set()


async def test_a_write_costs_microseconds():
    writer = LogWriter(ScriptedStore(), FakeClock(), LogsConfig())
    stream = writer.stream(GROUP, "a")
    spent_s = timeit.timeit(lambda: stream.write(1, "hello\n"), number=3_000)
    assert spent_s / 3_000 < 20e-6


class ExpiringStore:
    def __init__(self) -> None:
        self.asked: list[int] = []
        self.enough = asyncio.Event()

    async def expire(self, now_ms: int) -> int:
        self.asked.append(now_ms)
        if len(self.asked) == 1:
            raise OSError("disk")
        if len(self.asked) == 3:
            self.enough.set()
        return 7


async def test_retention_goes_on_after_a_failure():
    store = ExpiringStore()
    retention = LogRetention(store, FakeClock(epoch_s=5.0), interval_s=0.0)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        run = tasks.create_task(retention.run())
        await store.enough.wait()
        run.cancel()
    assert store.asked[:3] == [5_000, 5_000, 5_000]
    assert await retention.expire() == 7
