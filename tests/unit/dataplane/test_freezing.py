"""Idle environments are frozen, busy ones a moment later; none is frozen while it works."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from lambdad.dataplane.freezing import Freezer
from lambdad.sandbox.base import Sandbox


class Box:
    """Knows whether it was frozen."""

    def __init__(self) -> None:
        self.frozen = asyncio.Event()

    def freeze(self) -> None:
        self.frozen.set()


@pytest.fixture
def freezer() -> Freezer:
    return Freezer()


def a_sandbox() -> tuple[Box, Sandbox]:
    box = Box()
    return box, cast("Sandbox", box)


async def test_what_stays_idle_is_frozen(freezer: Freezer) -> None:
    boxes = [a_sandbox() for _ in range(3)]
    for _, sandbox in boxes:
        freezer.later(sandbox)
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        for box, _ in boxes:
            await box.frozen.wait()
    assert not freezer.keep(boxes[0][1])


async def test_what_gets_work_is_not_frozen(freezer: Freezer) -> None:
    kept, sandbox = a_sandbox()
    other, its_sandbox = a_sandbox()
    freezer.later(sandbox)
    freezer.later(its_sandbox)
    assert freezer.keep(sandbox)
    async with asyncio.timeout(30):
        await other.frozen.wait()
    assert not kept.frozen.is_set()


async def test_the_last_idle_moment_counts(freezer: Freezer) -> None:
    box, sandbox = a_sandbox()
    for _ in range(3):
        freezer.later(sandbox)
        assert freezer.keep(sandbox)
    freezer.later(sandbox)
    async with asyncio.timeout(30):
        await box.frozen.wait()


async def test_what_was_never_to_be_frozen_is_not_kept(freezer: Freezer) -> None:
    assert not freezer.keep(a_sandbox()[1])


async def test_what_is_to_be_frozen_at_once_answers_first(freezer: Freezer) -> None:
    box, sandbox = a_sandbox()
    order: list[str] = []
    asyncio.get_running_loop().call_soon(lambda: order.append(f"answered, {box.frozen.is_set()}"))
    freezer.at_once(sandbox)
    await asyncio.sleep(0)
    assert order == ["answered, False"]
    assert box.frozen.is_set()


async def test_the_next_event_is_in_time_to_keep_it_awake(freezer: Freezer) -> None:
    box, sandbox = a_sandbox()
    freezer.at_once(sandbox)
    assert freezer.keep(sandbox)
    await asyncio.sleep(0)
    assert not box.frozen.is_set()
    assert not freezer.keep(sandbox)
