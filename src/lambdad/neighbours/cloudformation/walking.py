"""Does something for every node of a graph, each after what it needs, as many at once as can be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lambdad.neighbours.cloudformation.graph import Dependencies


async def walk(needs: Dependencies, act: Callable[[str], Awaitable[bool]]) -> bool:
    """Run `act` for each name; whether it returned True for all.

    After a False nothing more is begun; what runs is finished.
    """
    done = {name: asyncio.Event() for name in needs}
    failed = asyncio.Event()

    async def visit(name: str) -> None:
        try:
            for other in needs[name]:
                if other in done:
                    await done[other].wait()
            if not failed.is_set() and not await act(name):
                failed.set()
        finally:
            done[name].set()

    async with asyncio.TaskGroup() as group:
        for name in needs:
            group.create_task(visit(name))
    return not failed.is_set()
