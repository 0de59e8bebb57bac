"""Who is late is called, whoever else has the same time; and calls come behind answers."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from typing import cast

from lambdad.dataplane.conclusion import PeakMemory
from lambdad.dataplane.timing import Conclusions, Deadlines, Due
from lambdad.sandbox.base import Sandbox

SHORT_S, LONG_S = 0.01, 600.0


class Late:
    """Knows that it was called."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.times = 0

    def timed_out(self) -> None:
        self.times += 1
        self.called.set()


async def test_who_is_late_is_called_once_and_who_is_on_time_is_not() -> None:
    deadlines = Deadlines()
    late, on_time, other = Late(), Late(), Late()
    deadlines.arm(late, SHORT_S)
    due = deadlines.arm(on_time, SHORT_S)
    deadlines.arm(other, LONG_S)
    del due[on_time]
    async with asyncio.timeout(30):
        await late.called.wait()
    assert (late.times, on_time.times, other.times) == (1, 0, 0)


async def test_a_later_deadline_of_the_same_length_is_kept() -> None:
    deadlines = Deadlines()
    for _ in range(3):
        first, second = Late(), Late()
        deadlines.arm(first, SHORT_S)
        await asyncio.sleep(SHORT_S / 2)
        deadlines.arm(second, SHORT_S)
        async with asyncio.timeout(30):
            await second.called.wait()
        assert (first.times, second.times) == (1, 1)


class OwnTime(asyncio.SelectorEventLoop):
    """A loop whose time passes when the test says so."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.run_until_complete(asyncio.sleep(0))


def test_a_deadline_that_is_armed_anew_counts_from_then() -> None:
    loop, deadlines, late = OwnTime(), Deadlines(), Late()

    async def arm() -> Due:
        return deadlines.arm(late, 1.0)

    with closing(loop):
        for _ in range(5):
            due = loop.run_until_complete(arm())
            loop.pass_by(0.25)
            del due[late]
        loop.run_until_complete(arm())
        loop.pass_by(0.875)
        assert late.times == 0
        loop.pass_by(0.25)
        assert late.times == 1


class Reader:
    """Reads a pipe when the loop says so; concludes behind an answer."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.concluded = asyncio.Event()

    def read(self, name: str, descriptor: int) -> None:
        self.seen.append(f"{name}:{os.read(descriptor, 100).decode()}")

    def conclude(self) -> None:
        self.seen.append("end")
        self.concluded.set()


async def test_what_was_written_before_an_answer_is_read_before_its_end() -> None:
    conclusions, loop = Conclusions(), asyncio.get_running_loop()
    for order in (("answer", "output"), ("output", "answer")):
        reader = Reader()
        pipes = {name: os.pipe() for name in order}

        def answered(reader: Reader, descriptor: int) -> None:
            reader.read("answer", descriptor)
            conclusions.later(reader)

        loop.add_reader(pipes["output"][0], reader.read, "output", pipes["output"][0])
        loop.add_reader(pipes["answer"][0], answered, reader, pipes["answer"][0])
        os.write(pipes["output"][1], b"o")
        os.write(pipes["answer"][1], b"a")
        async with asyncio.timeout(30):
            await reader.concluded.wait()
        assert sorted(reader.seen[:2]) == ["answer:a", "output:o"]
        assert reader.seen[2:] == ["end"]
        for ours, theirs in pipes.values():
            loop.remove_reader(ours)
            os.close(ours)
            os.close(theirs)


class Box:
    """A sandbox that has had so much memory."""

    peak_mb = 1

    def memory_peak_bytes(self) -> int:
        return self.peak_mb << 20


def test_the_peak_is_read_again_behind_what_took_its_time_and_before_long() -> None:
    memory, box = PeakMemory(), Box()
    sandbox = cast("Sandbox", box)
    assert memory.megabytes(sandbox, 128, 0.0001, 10.0) == 1
    box.peak_mb = 2
    assert memory.megabytes(sandbox, 128, 0.0001, 10.01) == 1
    assert memory.megabytes(sandbox, 128, 0.0031, 10.02) == 2
    box.peak_mb = 3
    assert memory.megabytes(sandbox, 128, 0.0001, 10.08) == 3
    box.peak_mb = 300
    assert memory.megabytes(sandbox, 128, 1.0, 10.09) == 128
