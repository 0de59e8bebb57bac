"""A sandbox that waits to be told its function, with a runtime process in it if it can have one."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence

from lambdad.dataplane.runtime_api.channel import with_channel
from lambdad.dataplane.runtime_api.pipes import Side, open_pipes
from lambdad.dataplane.snapstart.image import Capture, Restore
from lambdad.dataplane.snapstart.restorer import assignment_of
from lambdad.domain.environments import TASK_ROOT, Mount, ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.environment import ASSIGNMENT_VARIABLE, at_start
from lambdad.sandbox.base import FIRST_INHERITED_FD, GuestProcess, ProcessSpec, Sandbox

_BOOT_TIMEOUT_S = 30.0
# Behind the variables, for a client that takes them before the end of the assignment.
_LAST = b"\0"


class WaitingRuntime:
    """The sandbox, the process, and our ends of what that inherited.

    Without a process where the function brings the program: that is started in the ordinary way.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        process: GuestProcess | None = None,
        assignment: socket.socket | None = None,
        channel: Side | None = None,
        *,
        frozen: bool = False,
    ) -> None:
        self.sandbox = sandbox
        self._frozen = frozen
        self._lacks: tuple[Sequence[Mount], ResourceLimits] | None = None
        self._process = process
        self._assignment = assignment
        self._channel = channel

    def adopt(self, mounts: Sequence[Mount], limits: ResourceLimits) -> bool:
        """Let it go on, for a function that brings these, which :meth:`furnish` gives it.

        False where it has ended while it waited; :meth:`dispose` of it.
        """
        if not self.sandbox.alive:
            return False
        if self._frozen:
            # First, because that takes its time on another processor.
            self.sandbox.thaw()
        self._lacks = (mounts, limits)
        return True

    async def furnish(self) -> None:
        """Give the sandbox what makes it a function's, once.

        Raises:
            HostUnfit: that cannot be.
        """
        if self._lacks is not None:
            (mounts, limits), self._lacks = self._lacks, None
            await self.sandbox.mount(mounts)
            self.sandbox.set_limits(limits)

    async def assign(
        self,
        variables: Mapping[str, str],
        descriptors: Sequence[int] = (),
        image: Capture | Restore | None = None,
    ) -> tuple[GuestProcess, Side | None] | None:
        """Tell the process its function; it gets copies of the descriptors.

        With an image it writes a snapshot once it is initialised, or takes one on.

        Returns:
            The process and our side of its channel, the caller's from now on; None if there is
            none.

        Raises:
            HostUnfit: the sandbox cannot be given the function.
        """
        if self._process is None or self._assignment is None or image is not None:
            await self.furnish()
        if self._process is None or self._assignment is None:
            self.sandbox.reset_memory_peak()
            return None
        block = assignment_of(variables)
        if not self._frozen and image is None:
            block += _LAST
        try:
            if image is not None:
                image.hand_over(self._assignment)
            # Fits the buffer of a socket that nothing was written to: at most some 10 KiB.
            if descriptors and image is None:
                sent = socket.send_fds(self._assignment, [block], descriptors)
            else:
                sent = self._assignment.send(block)
        except BrokenPipeError:
            # An image that it could not take on has ended it by now: its status says so.
            sent = 0 if image is None else len(block)
        except OSError:
            sent = 0
        if sent != len(block):
            self.let_go()
            await self.furnish()
            return None
        if image is not None:
            image.accept(self._assignment)
        else:
            await self._finish(self._assignment)
        # Now that it is busy: what it had while it waited was not the function's.
        self.sandbox.reset_memory_peak()
        return self._process, self._channel

    async def _finish(self, assignment: socket.socket) -> None:
        """It wakes up and takes its variables meanwhile, and looks at no file before the end."""
        try:
            await self.furnish()
        except BaseException:
            self.let_go()
            raise
        assignment.close()

    def let_go(self) -> None:
        """Close our ends: the process ends by itself."""
        if self._process is None or self._assignment is None:
            return
        self._assignment.close()
        if self._channel is not None:
            self._channel.close()
        os.close(self._process.output)
        if self._process.telemetry is not None:
            os.close(self._process.telemetry)

    async def dispose(self) -> None:
        """Take everything down."""
        self.let_go()
        await self.sandbox.destroy()


async def start_waiting(
    sandbox: Sandbox, runtime: Runtime, memory_mb: int | None
) -> WaitingRuntime:
    """Start the runtime in a sandbox without a function, which then waits for one.

    It is frozen, unless all that there is sleeps in one system call until it is told: PID 1, and
    what was forked from a zygote. `memory_mb` is the size of the functions it will be for, where
    it must know that.

    Raises:
        HostUnfit: it does not start; the sandbox is to be destroyed.
    """
    if not runtime.argv:
        return WaitingRuntime(sandbox)
    ours, theirs = socket.socketpair()
    channel, guests_channel = open_pipes() if runtime.channel else (None, None)
    spec = ProcessSpec(
        argv=runtime.argv,
        environment={
            **at_start(runtime.environment, memory_mb),
            ASSIGNMENT_VARIABLE: str(FIRST_INHERITED_FD),
        },
        # The place is there, and empty: what is mounted on it is entered later on.
        cwd=TASK_ROOT,
        telemetry=runtime.telemetry,
        inherited=(theirs.fileno(),),
        forked=runtime.zygote is not None,
    )
    if guests_channel is not None:
        spec = with_channel(spec, guests_channel)
    ours.setblocking(False)
    try:
        process = await sandbox.spawn(spec)
    except BaseException:
        ours.close()
        if channel is not None:
            channel.close()
        raise
    finally:
        theirs.close()
        if guests_channel is not None:
            guests_channel.close()
    frozen = runtime.zygote is None
    waiting = WaitingRuntime(sandbox, process, ours, channel, frozen=frozen)
    try:
        async with asyncio.timeout(_BOOT_TIMEOUT_S):
            ready = await asyncio.get_running_loop().sock_recv(ours, 1)
        if not ready:
            raise HostUnfit(f"{runtime.identifier} does not start: {_said(process)}", "")
    except TimeoutError as error:
        waiting.let_go()
        raise HostUnfit(f"{runtime.identifier} did not start in 30 s.", "") from error
    except BaseException:
        waiting.let_go()
        raise
    if frozen:
        sandbox.freeze()
    return waiting


def _said(process: GuestProcess) -> str:
    try:
        return os.read(process.output, 4096).decode(errors="replace").strip()
    except BlockingIOError:
        return "it ended without a word"
