"""Invocations whose lines are laid out late say what those say that are written at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from lambdad.config.sections import LogsConfig
from lambdad.dataplane.conclusion import Conclusion
from lambdad.dataplane.environment_log import EnvironmentLog
from lambdad.dataplane.timing import Timing
from lambdad.dataplane.work import Work
from lambdad.domain.errors import FunctionError
from lambdad.domain.invocations import Invocation
from lambdad.domain.logs import LogBatches
from lambdad.observability.logs import LogWriter
from lambdad.observability.metrics import Metrics
from lambdad.sandbox.base import Sandbox
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import a_function


class Box(Sandbox):
    """A sandbox that has had so much memory."""

    def memory_peak_bytes(self) -> int:
        return 38 << 20


class World:
    """An environment's log, and what is stored of it: `(milliseconds, text)`."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.stored: list[tuple[int, str]] = []
        self.logs = LogWriter(self, self.clock, LogsConfig())
        self.log = EnvironmentLog(a_function(memory_mb=128), self.clock, self.logs)
        self.metrics = Metrics(self.clock)
        self.conclusion = Conclusion(self.log, Timing(), self.metrics)
        self._ids = (f"00000000-0000-4000-8000-{number:012}" for number in itertools.count())

    async def append(self, batches: LogBatches) -> None:
        for _, segments in batches:
            for segment in segments:
                self.stored += zip(segment.times_ms, segment.messages, strict=True)

    def begin(self) -> Work:
        request = Invocation(request_id=next(self._ids), payload=b"{}", invoked_arn="a:b")
        waiter = asyncio.get_running_loop().create_future()
        work = Work(invocation=request, trace_header="", version="$LATEST", waiter=waiter)
        work.begun = self.clock.monotonic()
        self.log.start(request, "")
        return work

    def end(self, work: Work, *, late: bool = True) -> None:
        """`late` False has its lines written at once, by the way of those with an init."""
        ended = self.clock.monotonic()
        if not late:
            self.log._invocations.lay_out()
        self.conclusion.write(work, ended, init_s=None, sandbox=Box())  # type: ignore[abstract]

    async def lines(self) -> Sequence[tuple[int, str]]:
        await self.logs.flush()
        return self.stored


DURATIONS_S = (0.0, 0.0000049, 0.000005, 0.00123, 0.0012345678, 0.999999, 1.0, 14.99999, 899.9999)


@pytest.mark.parametrize("error", [None, FunctionError("ValueError", b"{}")])
async def test_lines_and_bills_are_those_of_invocations_written_at_once(
    error: FunctionError | None,
) -> None:
    worlds = World(), World()
    for world, late in zip(worlds, (True, False), strict=True):
        for duration_s in DURATIONS_S:
            work = world.begin()
            work.error = error
            world.clock.advance(duration_s)
            world.end(work, late=late)
            world.clock.advance(0.0101)
    late, at_once = [await world.lines() for world in worlds]
    assert late == at_once
    assert len(late) == 3 * len(DURATIONS_S)
    assert late[-1][1] == (
        "REPORT RequestId: 00000000-0000-4000-8000-000000000008\tDuration: 899999.90 ms\t"
        "Billed Duration: 900000 ms\tMemory Size: 128 MB\tMax Memory Used: 38 MB\t\n"
    )
    found = [
        [
            (calls.count, calls.failed, calls.durations)
            for calls in world.metrics.take_calls().values()
        ]
        for world in worlds
    ]
    assert found[0] == found[1]
    assert sum(count for count, *_ in found[0]) == len(DURATIONS_S)


async def test_what_is_printed_stands_between_its_start_and_its_end() -> None:
    world = World()
    silent, printing, unfinished = world.begin(), None, None
    world.end(silent)
    printing = world.begin()
    world.log.output(b"said\n")
    world.end(printing)
    unfinished = world.begin()
    world.log.output(b"half a line")
    world.end(unfinished)
    world.end(world.begin())
    assert [line.split()[0] for _, line in await world.lines()] == [
        *("START", "END", "REPORT"),
        *("START", "said", "END", "REPORT"),
        *("START", "half", "END", "REPORT"),
        *("START", "END", "REPORT"),
    ]


async def test_who_looks_while_it_runs_sees_its_start() -> None:
    world = World()
    work = world.begin()
    assert [line.split()[0] for _, line in await world.lines()] == ["START"]
    world.end(work)
    world.end(world.begin())
    words = [line.split()[0] for _, line in await world.lines()]
    assert words == ["START", "END", "REPORT", "START", "END", "REPORT"]


async def test_thousands_between_two_looks_are_all_there() -> None:
    world = World()
    for _ in range(1_500):
        world.end(world.begin())
        world.clock.advance(0.0001)
    lines = await world.lines()
    assert len(lines) == len(set(lines)) == 4_500
    assert [line for _, line in lines] == sorted(
        (line for _, line in lines), key=lambda line: line.split("RequestId: ")[1][:36]
    )
