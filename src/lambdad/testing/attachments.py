"""What tests of a function's attachments begin with: stored functions, and errors as values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from lambdad.controlplane.attachments import Attachments
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.mapping_transitions import EventSourcePollers
from lambdad.controlplane.references import Target
from lambdad.domain.aliases import Alias, to_resource
from lambdad.domain.errors import ServiceException
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import RecordingObserver
from lambdad.testing.functions import FUNCTION_KEY, a_function

TARGET = Target(key=FUNCTION_KEY, qualifier=None)
LIVE = Target(key=FUNCTION_KEY, qualifier="live")


async def an_engine(clock: FakeClock) -> Engine:
    """The in-memory engine with function `f`, its version 1 and its alias `live`."""
    stored: Engine = engine("memory")(Path("/nowhere"), clock)
    await stored.functions.insert(a_function())
    await stored.functions.insert(a_function(version="1"))
    await stored.resources.insert(
        to_resource(Alias(function=FUNCTION_KEY, name="live", version="1", revision_id="a1"))
    )
    return stored


def attachments_of(
    stored: Engine, clock: FakeClock, pollers: EventSourcePollers | None = None
) -> Attachments:
    """Everything that functions can have, on this engine."""
    return Attachments(
        stored, locks=FunctionLocks(), clock=clock, concurrency=RecordingObserver(), pollers=pollers
    )


async def refusal(call: Awaitable[Any] | Callable[[], Any]) -> tuple[str, str]:
    """Code and message of the error that the call must end in."""
    try:
        answer = call() if callable(call) else await call
    except ServiceException as error:
        return error.code, error.message
    raise AssertionError(f"no error but {answer}")
