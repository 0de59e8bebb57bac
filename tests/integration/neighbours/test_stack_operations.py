"""Operations on stacks on a real database, with a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lambdad.neighbours.cloudformation import rows
from lambdad.neighbours.cloudformation.model import Event, Plan, Stack
from lambdad.neighbours.cloudformation.parts import Stacks
from lambdad.testing.clock import FakeClock
from lambdad.testing.neighbours import RecordedPushes, running

WAITING: dict[str, Any] = {
    "Resources": {
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Wait": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "3600"},
        },
    }
}
EMPTY: dict[str, Any] = {
    "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
}


@asynccontextmanager
async def opened(directory: Path, clock: FakeClock) -> AsyncIterator[Stacks]:
    pushes = RecordedPushes()
    async with running(
        "cloudformation", Stacks.open, directory, clock=clock, functions=pushes
    ) as stacks:
        yield stacks


def a_stack(clock: FakeClock, document: dict[str, Any], **more: Any) -> Stack:
    return Stack(
        id="arn:aws:cloudformation:eu-west-1:1:stack/s/1",
        name="s",
        account_id="1",
        region="eu-west-1",
        status="CREATE_IN_PROGRESS",
        created_ms=int(clock.time() * 1_000),
        plan=Plan(text="", document=document),
        phase="create",
        **more,
    )


async def events(stacks: Stacks, stack: Stack) -> list[Event]:
    await stacks.journal.written(stack)
    found, _ = await stacks.db.read(partial(rows.events, stack_id=stack.id, before=None, limit=99))
    return found


async def test_a_stack_is_taken_back_when_its_time_is_over(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path, clock) as stacks:
        stack = a_stack(clock, WAITING, timeout_minutes=1)
        clock.advance(61)
        await stacks.add(stack)
        stacks.begin(stack)
        await stacks.settle(stack, 30)
        assert stack.status == "ROLLBACK_COMPLETE"
        reasons = [each.reason for each in await events(stacks, stack)]
        assert any("cancelled" in each or "exceeded" in each for each in reasons), reasons
        assert stack.resources == {}


async def test_an_operation_begun_while_the_last_one_ends_runs_once(tmp_path: Path) -> None:
    """The end of the first is being written when the second begins: nobody does it twice."""
    clock = FakeClock()
    async with opened(tmp_path, clock) as stacks:
        stack = a_stack(clock, EMPTY)
        await stacks.add(stack)
        stacks.begin(stack)
        while stack.busy:  # noqa: ASYNC110 - the moment itself is looked for
            await asyncio.sleep(0)
        # The creation is over in memory, and its event on the way to the disk.
        assert stack.status == "CREATE_COMPLETE"
        stack.phase = "delete"
        stacks.begin(stack)
        await stacks.settle(stack, 30)
        found = [each.status for each in await events(stacks, stack) if each.logical_id == "s"]
        assert found == ["DELETE_COMPLETE", "CREATE_COMPLETE", "CREATE_IN_PROGRESS"]


async def test_an_end_that_can_be_seen_has_its_event(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path, clock) as stacks:
        stack = a_stack(clock, EMPTY)
        await stacks.add(stack)
        stacks.begin(stack)
        while stack.status == "CREATE_IN_PROGRESS":  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        assert (await events(stacks, stack))[0].status == "CREATE_COMPLETE"
        await stacks.settle(stack, 30)


async def test_150_resources_are_made_though_time_stands_still(tmp_path: Path) -> None:
    """No pause of any length is on the way; and whoever has not changed is not touched again."""
    handle: dict[str, Any] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    after = [{"DependsOn": f"R{number - 10}"} if number >= 10 else {} for number in range(150)]
    document = {"Resources": {f"R{number}": handle | more for number, more in enumerate(after)}}
    clock = FakeClock()
    async with opened(tmp_path, clock) as stacks:
        stack = a_stack(clock, document)
        await stacks.add(stack)
        loop = asyncio.get_running_loop()
        now = loop.time()
        loop.time = lambda: now  # type: ignore[method-assign]
        stacks.begin(stack)
        while stack.busy:  # noqa: ASYNC110 - nothing would wake who waits for a time
            await asyncio.sleep(0)
        made = {name: resource.physical_id for name, resource in stack.resources.items()}
        assert (stack.status, len(made)) == ("CREATE_COMPLETE", 150)
        before = await stacks.db.read(
            partial(rows.events, stack_id=stack.id, before=None, limit=999)
        )
        stack.former, stack.phase = stack.plan, "update"
        stacks.begin(stack)
        while stack.busy:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        del loop.time
        await stacks.settle(stack, 30)
        found = await stacks.db.read(
            partial(rows.events, stack_id=stack.id, before=None, limit=999)
        )
        assert stack.status == "UPDATE_COMPLETE"
        assert {name: each.physical_id for name, each in stack.resources.items()} == made
        later = found[0][: len(found[0]) - len(before[0])]
        assert {each.logical_id for each in later} == {"s"}
