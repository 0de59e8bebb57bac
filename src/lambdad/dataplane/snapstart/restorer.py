"""Taking on a snapshot by a program that becomes its process, where no process waits for one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

from lambdad.dataplane.snapstart.image import Restore
from lambdad.runtimes.base import Runtime
from lambdad.sandbox.base import GuestProcess, ProcessSpec, Sandbox


async def start_restorer(
    sandbox: Sandbox, runtime: Runtime, variables: Mapping[str, str], restore: Restore
) -> GuestProcess:
    """Start the restorer of a runtime in a sandbox in which nothing has run.

    It ends if it cannot become the process of the snapshot. Otherwise that takes its variables
    and says how it went as a process does that has waited.

    Raises:
        HostUnfit: the sandbox is gone.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        with theirs, restore.opened() as image:
            process = await sandbox.spawn(
                ProcessSpec(
                    argv=runtime.restorer,
                    # The snapshot has its own, until it is told those of this environment.
                    environment={},
                    cwd=runtime.directory,
                    telemetry=runtime.telemetry,
                    inherited=(theirs.fileno(), image),
                )
            )
        # It may have ended by now: its status says so.
        with contextlib.suppress(BrokenPipeError):
            # Fits the buffer of a socket that nothing was written to: at most some 10 KiB.
            ours.send(assignment_of(variables))
        restore.accept(ours)
    except BaseException:
        ours.close()
        raise
    return process


def assignment_of(variables: Mapping[str, str]) -> bytes:
    """Lay variables out for a process that waits for them."""
    return b"".join(
        f"{name}={value}\0".encode(errors="surrogateescape") for name, value in variables.items()
    )
