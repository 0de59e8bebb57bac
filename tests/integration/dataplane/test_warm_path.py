"""What an invocation of a warm environment costs, in what does not depend on the host: calls."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path
from types import FrameType

from tests.integration.dataplane.conftest import DataPlane, Make

from lambdad import dataplane as package
from lambdad.domain.invocations import InvocationResult
from lambdad.testing.extensions import echo
from lambdad.testing.functions import FUNCTION_KEY

FOLDER = str(Path(package.__file__).parent)


class Calls:
    """Functions of the data plane that are called meanwhile, in order."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __enter__(self) -> list[str]:
        sys.setprofile(self._note)
        return self.names

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(FOLDER):
            self.names.append(frame.f_code.co_qualname)


class Told:
    """Waits for an outcome."""

    def __init__(self) -> None:
        self.result = asyncio.get_running_loop().create_future()

    def done(self) -> bool:
        return self.result.done()

    def set_result(self, result: InvocationResult, /) -> None:
        self.result.set_result(result)


async def warmed(dataplane: Make) -> DataPlane:
    plane = dataplane(echo)
    plane.shelf._looks = itertools.repeat(0)  # nothing changes
    for _ in range(2):
        await plane.invoke()
        await plane.settled()
    return plane


async def test_work_comes_to_a_warm_environment_by_few_calls(dataplane: Make) -> None:
    plane = await warmed(dataplane)
    invocation, told = plane.invocation(), Told()
    with Calls() as names:
        plane.invoker.begin(FUNCTION_KEY, None, invocation, told)
    assert (await told.result).payload == invocation.payload
    # The half of what there was once. Whoever needs one more: is it needed each time?
    assert len(names) <= 26, names


async def test_what_was_taken_down_gets_no_work(dataplane: Make) -> None:
    """Whoever remembers which fleet runs a function learns that it serves nothing any more."""
    plane = await warmed(dataplane)
    await plane.invoker.drain(0.0)
    assert (await plane.invoke(b"1")).payload == b"1"
    assert len(plane.backend.sandboxes) == 2
