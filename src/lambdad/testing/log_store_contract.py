"""Promises of `lambdad.storage.base.LogStore`, as a pytest class."""

# ruff: noqa: D102 - the name of a test states its promise

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lambdad.domain.logs import segments_of
from lambdad.storage.base import (
    AlreadyExists,
    Engine,
    LogEvent,
    LogGroup,
    LogGroupKey,
    LogQuery,
    LogStore,
    LogStream,
)
from lambdad.storage.registry import engine as engine_by_name
from lambdad.testing.clock import FakeClock

DAY_MS = 86_400_000


def group_key(name: str = "/aws/lambda/f", account_id: str = "000000000000") -> LogGroupKey:
    """The key of a log group."""
    return LogGroupKey(account_id=account_id, region="us-east-1", name=name)


KEY = group_key()


def at(timestamp_ms: int, message: str = "m", stream: str = "s") -> LogEvent:
    """An event as a function's output gives it."""
    return LogEvent(stream=stream, timestamp_ms=timestamp_ms, message=message)


async def append(logs: LogStore, *batches: tuple[LogGroupKey, Sequence[LogEvent]]) -> None:
    """Store events, those of a stream together."""
    await logs.append([(key, segments_of(events)) for key, events in batches])


async def read(logs: LogStore, **query: Any) -> list[str]:
    """Messages that a query of the group finds, in order."""
    return [event.message for event in await logs.events(KEY, LogQuery(**query))]


def look(whole: Sequence[LogEvent], query: LogQuery) -> list[LogEvent]:
    """Return the events that a query asks for, of all in order."""

    def wanted(event: LogEvent) -> bool:
        position = (event.timestamp_ms, event.event_id)
        return (
            (query.streams is None or event.stream in query.streams)
            and (query.start_ms is None or event.timestamp_ms >= query.start_ms)
            and (query.end_ms is None or event.timestamp_ms < query.end_ms)
            and (query.after is None or (position < query.after) is query.backward)
            and position != query.after
        )

    return [event for event in (whole[::-1] if query.backward else whole) if wanted(event)]


class LogStoreContract:
    """Promises of :class:`lambdad.storage.base.LogStore`; attributes as for functions."""

    engine_name: ClassVar[str]
    durable: ClassVar[bool] = True

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The engine's clock."""
        return FakeClock(epoch_s=1_000.0)

    @pytest.fixture
    async def engine(self, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Engine]:
        """An open engine on an empty directory."""
        engine = engine_by_name(self.engine_name)(tmp_path, clock)
        await engine.open()
        yield engine
        await engine.close()

    @pytest.fixture
    def logs(self, engine: Engine) -> LogStore:
        """Its log store."""
        return engine.logs

    async def test_a_group_is_created_once(self, logs: LogStore) -> None:
        group = LogGroup(key=KEY, created_ms=5, retention_days=7)
        await logs.create_group(group)
        with pytest.raises(AlreadyExists):
            await logs.create_group(LogGroup(key=KEY, created_ms=6))
        assert await logs.group(KEY) == group
        assert await logs.group(group_key("other")) is None

    async def test_retention_is_set_and_cleared(self, logs: LogStore) -> None:
        await logs.create_group(LogGroup(key=KEY, created_ms=5))
        for days in (3, None):
            assert await logs.put_retention(KEY, days) is True
            group = await logs.group(KEY)
            assert group is not None
            assert group.retention_days == days
        assert await logs.put_retention(group_key("other"), 3) is False

    async def test_tags_are_replaced_as_a_whole(self, logs: LogStore) -> None:
        await logs.create_group(LogGroup(key=KEY, created_ms=5, tags={"team": "a"}))
        group = await logs.group(KEY)
        assert group is not None
        assert group.tags == {"team": "a"}
        assert await logs.put_tags(KEY, {"stage": "zażółć \ud800"}) is True
        page = await logs.groups(KEY.account_id, KEY.region, prefix="", after=None, limit=1)
        assert page[0].tags == {"stage": "zażółć \ud800"}
        assert await logs.put_tags(group_key("other"), {}) is False

    async def test_groups_are_paged_by_name_and_prefix(self, logs: LogStore) -> None:
        for name in ("/a/2", "/a/1", "/b", "/a%", "/a/3"):
            await logs.create_group(LogGroup(key=group_key(name), created_ms=1))
        await logs.create_group(LogGroup(key=group_key("/a/9", "111111111111"), created_ms=1))

        async def names(prefix: str, after: str | None, limit: int) -> list[str]:
            owner = ("000000000000", "us-east-1")
            page = await logs.groups(*owner, prefix=prefix, after=after, limit=limit)
            return [group.key.name for group in page]

        assert await names("/a/", None, 2) == ["/a/1", "/a/2"]
        assert await names("/a/", "/a/2", 2) == ["/a/3"]
        assert await names("", None, 50) == ["/a%", "/a/1", "/a/2", "/a/3", "/b"]
        assert await names("/a%", None, 50) == ["/a%"]
        assert await names("/c", None, 50) == []

    async def test_a_stream_is_created_once_in_an_existing_group(self, logs: LogStore) -> None:
        stream = LogStream(name="s", created_ms=4)
        with pytest.raises(KeyError):
            await logs.create_stream(KEY, stream)
        await logs.create_group(LogGroup(key=KEY, created_ms=1))
        await logs.create_stream(KEY, stream)
        with pytest.raises(AlreadyExists):
            await logs.create_stream(KEY, stream)
        assert list(await logs.streams(KEY, prefix="", after=None, limit=9)) == [stream]

    async def test_streams_are_paged_by_name_and_prefix(self, logs: LogStore) -> None:
        await append(logs, (KEY, [at(1, stream=name) for name in ("b2", "b1", "a", "b3")]))
        page = await logs.streams(KEY, prefix="b", after="b1", limit=1)
        assert [stream.name for stream in page] == ["b2"]
        page = await logs.streams(KEY, prefix="b", after="b2", limit=9)
        assert [stream.name for stream in page] == ["b3"]
        assert list(await logs.streams(group_key("other"), prefix="", after=None, limit=9)) == []

    async def test_a_deleted_stream_is_gone_with_its_events(self, logs: LogStore) -> None:
        await append(logs, (KEY, [at(1, "kept", stream="kept")]))
        group = await logs.group(KEY)
        many = [at(number, stream="gone") for number in range(4_500)]
        await append(logs, (KEY, many))
        assert await logs.delete_stream(KEY, "gone") is True
        assert await logs.group(KEY) == group
        assert await read(logs) == ["kept"]
        page = await logs.streams(KEY, prefix="", after=None, limit=9)
        assert [stream.name for stream in page] == ["kept"]
        assert await logs.delete_stream(KEY, "gone") is False
        assert await logs.delete_stream(group_key("other"), "kept") is False

    async def test_append_makes_group_and_stream(self, logs: LogStore) -> None:
        await append(logs, (KEY, [at(20, "later"), at(10, "é")]))
        await append(logs, (KEY, [at(15)]))
        # AWS counts 26 bytes for each event beside its UTF-8 text.
        group = LogGroup(key=KEY, created_ms=1_000_000, stored_bytes=5 + 2 + 1 + 3 * 26)
        assert await logs.group(KEY) == group
        assert list(await logs.streams(KEY, prefix="", after=None, limit=9)) == [
            LogStream(
                name="s",
                created_ms=1_000_000,
                first_event_ms=10,
                last_event_ms=20,
                last_ingestion_ms=1_000_000,
            )
        ]

    async def test_append_fills_the_times_of_an_empty_stream(
        self, logs: LogStore, clock: FakeClock
    ) -> None:
        await logs.create_group(LogGroup(key=KEY, created_ms=1))
        await logs.create_stream(KEY, LogStream(name="s", created_ms=2))
        clock.advance(1)
        await append(logs, (KEY, [at(7)]))
        (stream,) = await logs.streams(KEY, prefix="", after=None, limit=9)
        times = (stream.created_ms, stream.first_event_ms, stream.last_event_ms)
        assert times == (2, 7, 7)
        assert stream.last_ingestion_ms == 1_001_000

    async def test_events_come_by_time_and_then_by_ingestion(self, logs: LogStore) -> None:
        await append(logs, (KEY, [at(3, "c"), at(1, "a1")]), (group_key("other"), [at(2, "x")]))
        await append(logs, (KEY, [at(1, "a2", "t"), at(2, "b")]))
        assert await read(logs) == ["a1", "a2", "b", "c"]
        assert await read(logs, backward=True) == ["c", "b", "a2", "a1"]
        events = await logs.events(KEY, LogQuery())
        assert len({event.event_id for event in events}) == 4
        assert {event.ingestion_ms for event in events} == {1_000_000}
        assert [event.stream for event in events] == ["s", "t", "s", "s"]

    async def test_times_bound_from_inclusive_to_exclusive(self, logs: LogStore) -> None:
        await append(logs, (KEY, [at(number, str(number)) for number in range(1, 6)]))
        assert await read(logs, start_ms=2, end_ms=4) == ["2", "3"]
        assert await read(logs, start_ms=2, end_ms=4, backward=True) == ["3", "2"]
        assert await read(logs, start_ms=4) == ["4", "5"]
        assert await read(logs, end_ms=2) == ["1"]

    async def test_a_page_is_bounded_by_bytes_but_never_empty(self, logs: LogStore) -> None:
        """Ten thousand of the largest events would not fit into memory."""
        await append(logs, (KEY, [at(number, "x" * 74) for number in range(5)]))
        for streams in (None, ["s"]):
            for max_bytes, count in ((1, 1), (199, 1), (200, 2), (10_000, 5), (None, 5)):
                assert len(await read(logs, streams=streams, max_bytes=max_bytes)) == count
        assert await read(logs, limit=0) == []

    async def test_streams_are_chosen_by_name(self, logs: LogStore) -> None:
        events = [at(number, f"{stream}{number}", stream) for number in (2, 1) for stream in "abc"]
        await append(logs, (KEY, events))
        assert await read(logs, streams=["b"]) == ["b1", "b2"]
        assert await read(logs, streams=["c", "a", "none", "a"]) == ["a1", "c1", "a2", "c2"]
        assert await read(logs, streams=["a", "c"], backward=True, limit=3) == ["c2", "a2", "c1"]
        assert await read(logs, streams=[]) == []

    @pytest.mark.parametrize("backward", [False, True])
    @pytest.mark.parametrize("streams", [None, ["a", "b"], ["a"]])
    async def test_pages_put_together_are_the_whole(
        self, logs: LogStore, backward: bool, streams: Sequence[str] | None
    ) -> None:
        """Many events of one millisecond fall on page borders."""
        events = [at(number // 7, str(number), "ab"[number % 2]) for number in range(60)]
        await append(logs, (KEY, events))
        whole = await logs.events(KEY, LogQuery(streams=streams, backward=backward))
        paged: list[LogEvent] = []
        after = None
        while page := await logs.events(
            KEY, LogQuery(streams=streams, backward=backward, after=after, limit=4)
        ):
            paged += page
            after = (page[-1].timestamp_ms, page[-1].event_id)
        assert paged == list(whole)
        assert len(whole) == (30 if streams == ["a"] else 60)

    @pytest.mark.parametrize("seed", range(4))
    async def test_any_page_of_any_query_is_what_a_look_at_all_events_finds(
        self, logs: LogStore, seed: int
    ) -> None:
        """Events of a stream are kept together, whatever their times; nobody can tell."""
        dice = random.Random(seed)  # noqa: S311 - not secret
        for _ in range(12):
            spread = dice.choice((3, 300, 5_000))
            events = [
                at(dice.randrange(spread), "é" * dice.randrange(4), dice.choice("abc"))
                for _ in range(dice.randrange(1, 60))
            ]
            await append(logs, (KEY, events))
        whole = sorted(
            await logs.arrivals(KEY, 0, from_ms=None, limit=10_000, max_bytes=None),
            key=lambda event: (event.timestamp_ms, event.event_id),
        )
        assert len({event.event_id for event in whole}) == len(whole)
        for _ in range(150):
            after = dice.choice((None, dice.choice(whole)))
            query = LogQuery(
                streams=dice.choice((None, ["a"], ["c", "b"])),
                start_ms=dice.choice((None, dice.randrange(6_000))),
                end_ms=dice.choice((None, dice.randrange(6_000))),
                after=None if after is None else (after.timestamp_ms, after.event_id),
                backward=dice.random() < 0.5,
                limit=dice.choice((1, 7, 1_000)),
            )
            assert list(await logs.events(KEY, query)) == look(whole, query)[: query.limit]

    async def test_any_text_can_be_logged(self, logs: LogStore) -> None:
        """Functions print what they like; a batch must not fail for one of them."""
        texts = ["", "\x00nul", "\U0001f600", "'; DROP TABLE log_event; --", "x" * 262_144]
        await append(logs, (KEY, [at(number, text) for number, text in enumerate(texts)]))
        assert await read(logs) == texts
        await append(logs, (KEY, [at(99, "half \ud800 pair")]))
        assert await read(logs, start_ms=99) == ["half ? pair"]

    async def test_a_deleted_group_is_gone_with_all_it_held(self, logs: LogStore) -> None:
        other = group_key("other")
        await append(logs, (KEY, [at(1)] * 5_000), (other, [at(1)]))
        assert await logs.delete_group(KEY) is True
        assert await logs.delete_group(KEY) is False
        assert await logs.group(KEY) is None
        assert await read(logs) == []
        await append(logs, (KEY, [at(2, "new")]))
        assert await read(logs) == ["new"]
        assert len(await logs.streams(KEY, prefix="", after=None, limit=9)) == 1
        assert len(await logs.events(other, LogQuery())) == 1

    async def test_arrivals_come_in_the_order_they_were_stored(self, logs: LogStore) -> None:
        seen: list[int] = []
        logs.watch(
            lambda batches: seen.append(sum(len(each.messages) for _, of in batches for each in of))
        )
        await append(logs, (KEY, [at(50, "a"), at(10, "b")]), (group_key("other"), [at(1)]))
        begin = (await logs.arrivals(KEY, 0, from_ms=None, limit=1, max_bytes=None))[0].event_id
        await append(logs, (KEY, [at(30, "c"), at(5, "d")]))

        async def arrived(after: int, from_ms: int | None, limit: int = 10) -> str:
            found = await logs.arrivals(KEY, after, from_ms=from_ms, limit=limit, max_bytes=100)
            return "".join(event.message for event in found)

        assert [await arrived(0, None), await arrived(begin, None)] == ["abc", "bcd"]
        assert [await arrived(begin, 10), await arrived(begin, None, 2)] == ["bc", "bc"]
        assert await arrived(await logs.last_event_id(), None) == ""
        assert seen == [3, 2]

    async def test_events_expire_with_their_groups_retention(self, logs: LogStore) -> None:
        kept_for_ever = group_key("for-ever")
        old = [at(number, stream="old") for number in range(4_500)]
        edge = [at(DAY_MS - 1, "out", "mixed"), at(DAY_MS, "in", "mixed")]
        await append(logs, (KEY, old + edge), (kept_for_ever, [at(1)]))
        await logs.put_retention(KEY, 2)
        assert await logs.expire(3 * DAY_MS) == 4_501
        assert await logs.expire(3 * DAY_MS) == 0
        assert await read(logs) == ["in"]
        assert len(await logs.events(kept_for_ever, LogQuery())) == 1
        group = await logs.group(KEY)
        assert group is not None
        assert group.stored_bytes == len("in") + 26
        # One stream per environment: empty ones would gather without end.
        (stream,) = await logs.streams(KEY, prefix="", after=None, limit=9)
        assert (stream.name, stream.first_event_ms) == ("mixed", DAY_MS)

    async def test_concurrent_appends_lose_nothing(self, logs: LogStore) -> None:
        await asyncio.gather(
            *(
                append(logs, (KEY, [at(n, f"{n}-{i}", f"s{n % 5}") for i in range(20)]))
                for n in range(100)
            )
        )
        messages = await read(logs)
        assert len(set(messages)) == 2_000
        group = await logs.group(KEY)
        assert group is not None
        assert group.stored_bytes == sum(len(message) + 26 for message in messages)

    async def test_logs_are_there_after_reopening(self, tmp_path: Path) -> None:
        if not self.durable:
            pytest.skip("this engine forgets by design")
        first = engine_by_name(self.engine_name)(tmp_path, FakeClock())
        await first.open()
        await append(first.logs, (KEY, [at(1, "kept")]))
        before = await first.logs.events(KEY, LogQuery())
        await first.close()
        second = engine_by_name(self.engine_name)(tmp_path, FakeClock())
        await second.open()
        assert await second.logs.events(KEY, LogQuery()) == before
        await append(second.logs, (KEY, [at(1, "next")]))
        assert await read(second.logs) == ["kept", "next"]
        await second.close()
