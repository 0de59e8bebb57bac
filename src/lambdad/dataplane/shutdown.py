"""The SHUTDOWN phase: how long the processes of an environment have to end, and in which order.

Who has not ended by then is killed by whoever calls this.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Mapping
from enum import StrEnum

from lambdad.dataplane import failures
from lambdad.dataplane.extensions_api import messages
from lambdad.dataplane.extensions_api.extension import SHUTDOWN
from lambdad.dataplane.extensions_api.session import ExtensionsSession
from lambdad.dataplane.runtime_process import RuntimeProcess
from lambdad.domain.clock import Clock
from lambdad.domain.errors import FunctionError

# AWS: what extensions have to finish their work; without any, nothing is waited for.
EXTERNAL_BUDGET_S = 2.0
INTERNAL_BUDGET_S = 0.5
# How long subscribers of telemetry have to take what happened before.
FLUSH_S = 0.3
# The event loop counts in milliseconds and may be early by a part of one; a limit never is.
TICK_S = 0.001
# AWS: of a budget shared with external extensions the runtime, which goes first, has this part.
_RUNTIME_SHARE = 0.3


class ShutdownReason(StrEnum):
    """Why an environment, or what runs in it, is shut down."""

    SPINDOWN = "spindown"
    TIMEOUT = "timeout"
    FAILURE = "failure"


def reason_of(error: FunctionError) -> ShutdownReason:
    """Return why processes are shut down that ended with an error."""
    timed_out = error.error_type == failures.TIMED_OUT
    return ShutdownReason.TIMEOUT if timed_out else ShutdownReason.FAILURE


async def reached(condition: Awaitable[object], deadline: float) -> bool:
    """Wait until a time of the event loop; whether the condition came true before."""
    try:
        async with asyncio.timeout_at(deadline):
            await condition
    except TimeoutError:
        return False
    return True


async def shut_down(
    session: ExtensionsSession,
    runtime: RuntimeProcess | None,
    extensions: Mapping[str, RuntimeProcess],
    *,
    clock: Clock,
    reason: ShutdownReason,
) -> None:
    """End the runtime first, then the extensions; returns when all have, or at the deadline.

    `extensions` are the processes of external extensions, by name.
    """
    listening = [extension for extension in session.extensions if extension.listens]
    if not listening:
        return
    loop = asyncio.get_running_loop()
    begun = loop.time()
    budget_s = EXTERNAL_BUDGET_S if extensions else INTERNAL_BUDGET_S
    if runtime is not None:
        share_s = budget_s * _RUNTIME_SHARE if extensions else budget_s
        runtime.signal(signal.SIGTERM)
        if not await reached(runtime.ended(), begun + share_s):
            runtime.signal(signal.SIGKILL)
    remaining_s = begun + budget_s - loop.time()
    deadline_ms = int((clock.time() + remaining_s) * 1000)
    session.shut_down(messages.shutdown_event(reason=reason, deadline_ms=deadline_ms))
    told = {e.name for e in listening if SHUTDOWN in e.events}
    for name, process in extensions.items():
        if name not in told:
            process.signal(signal.SIGKILL)
    ending = [process.ended() for name, process in extensions.items() if name in told]
    await reached(asyncio.gather(*ending), begun + budget_s)
