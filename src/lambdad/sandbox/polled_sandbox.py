"""A sandbox on a host that lends lambdad no control groups.

All processes descend from one: an init that runs `lambdad/guest/init.py`. Memory is looked at ten
times a second instead of being bounded by the kernel, and freezing is SIGSTOP to all. Which
process the init is, and what isolates it, is decided by the backends that use this.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from lambdad.domain.clock import Clock
from lambdad.domain.environments import Mount, ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import process_tree
from lambdad.sandbox.base import ExitStatus, Listener, ProcessSpec
from lambdad.sandbox.init_client import InitClient

# Between two looks a program can take as much as it gets from the kernel in this time.
WATCH_INTERVAL_S = 0.1
_END_TIMEOUT_S = 5.0
_HEADROOM_MB = 1024
_MIB = 1024 * 1024


class PolledProcess:
    """A program in such a sandbox; see `GuestProcess`."""

    def __init__(
        self,
        sandbox: PolledSandbox,
        token: int,
        ended: asyncio.Future[ExitStatus],
        pipes: tuple[int, int | None],
    ) -> None:
        self.output, self.telemetry = pipes
        self._sandbox = sandbox
        self._token = token
        self._status: asyncio.Future[ExitStatus] = ended.get_loop().create_future()
        ended.add_done_callback(self._settle)

    def _settle(self, ended: asyncio.Future[ExitStatus]) -> None:
        # Now, because the next program's start forgets why this one ended.
        out_of_memory = self._sandbox.ran_out_of_memory
        self._status.set_result(replace(ended.result(), out_of_memory=out_of_memory))

    async def wait(self) -> ExitStatus:
        """See `GuestProcess`."""
        return await asyncio.shield(self._status)

    def signal(self, number: signal.Signals) -> None:
        """See `GuestProcess`."""
        self._sandbox.signal(self._token, number)


class PolledSandbox:
    """See `Sandbox`.

    State: `_pidfd` is the init's, there from `ready` to the end of `destroy`. `_gone` is there from
    the first call of `destroy` on, and done at its end.

    Args:
        environment_id: its name.
        process: the started init, or the program that waits for it.
        control: socket to the init; owned from now on.
        limits: what it may use.
        uid: its user; None for the daemon's own.
        clock: for when it stood.
        on_destroyed: called once at the very end, to free what it held.
    """

    def __init__(
        self,
        environment_id: str,
        process: subprocess.Popen[bytes],
        control: socket.socket,
        limits: ResourceLimits,
        *,
        uid: int | None,
        clock: Clock,
        on_destroyed: Callable[[], None],
    ) -> None:
        self.environment_id = environment_id
        self.listeners: Mapping[int, Listener] = {}
        self.stood = math.inf
        self.ran_out_of_memory = False
        self._process = process
        self._init = InitClient(control, self._kill)
        self._limits = limits
        self._uid = uid
        self._clock = clock
        self._on_destroyed = on_destroyed
        self._pidfd: int | None = None
        self._frozen = False
        self._peak = 0
        # Processes whose own count of the peak could not be started anew.
        self._stale: set[int] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] | None = None

    @property
    def _root(self) -> int:
        """The init's process id in the host's count; 0 before it is ready and once it has ended.

        Asked each time: the number of a process that is gone may be another's by now.
        """
        return 0 if self._pidfd is None else _pid_of(self._pidfd)

    @property
    def alive(self) -> bool:
        """See `Sandbox`."""
        return self._pidfd is not None and self._gone is None

    async def ready(self, ports: Sequence[int]) -> None:
        """Wait until it stands, with a listener inside for each port.

        Raises:
            HostUnfit: it could not be built.
        """
        self._pidfd, sockets = await self._init.ready(len(ports))
        self.stood = self._clock.monotonic()
        inside = {
            port: Listener(socket=listener, address=f"127.0.0.1:{port}")
            for port, listener in zip(ports, sockets, strict=True)
        }
        self.listeners = {**self.listeners, **inside}
        self._look()

    async def spawn(self, process: ProcessSpec) -> PolledProcess:
        """See `Sandbox`. Thaws if frozen."""
        if self._gone is not None:
            raise HostUnfit("The sandbox is gone.", "Create a new one.")
        self.thaw()
        self.ran_out_of_memory = False
        output, output_end = self._pipe()
        telemetry, telemetry_end = self._pipe() if process.telemetry else (None, None)
        ends = [output_end, *([] if telemetry_end is None else [telemetry_end])]
        try:
            token, ended = await self._init.spawn(process, ends)
        except BaseException:
            os.close(output)
            if telemetry is not None:
                os.close(telemetry)
            raise
        finally:
            for fd in ends:
                os.close(fd)
        self._note_memory(self._root)  # it may be gone at the next look
        return PolledProcess(self, token, ended, (output, telemetry))

    def _pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        if self._uid is not None:
            # So that the program may open /dev/stdout anew, as shell scripts do.
            os.fchown(writer, self._uid, self._uid)
        return reader, writer

    def signal(self, token: int, number: signal.Signals) -> None:
        """Send a signal to one program."""
        with suppress(HostUnfit):
            self._init.signal(token, number)

    async def mount(self, mounts: Sequence[Mount]) -> None:
        """See `Sandbox`."""
        raise HostUnfit(f"{len(mounts)} mounts cannot be added here.", "Use a new sandbox.")

    async def connect(self, port: int) -> socket.socket:
        """See `Sandbox`."""
        return await self._init.connect(port)

    async def kill_processes(self) -> None:
        """See `Sandbox`."""
        self.thaw()
        with suppress(HostUnfit):
            await self._init.kill_all()

    def freeze(self) -> None:
        """See `Sandbox`."""
        root = self._root
        if root and not self._frozen:
            self._note_memory(root)
            self._frozen = True
            process_tree.stop(root)

    def thaw(self) -> None:
        """See `Sandbox`."""
        root = self._root
        if root and self._frozen:
            process_tree.resume(root)
        self._frozen = False

    def set_limits(self, limits: ResourceLimits) -> None:
        """See `Sandbox`; processor time is not limited."""
        self._limits = limits
        root = self._root
        self._note_memory(root)  # at the end of an init, what it took
        for pid in (root, *process_tree.descendants(root)) if root else ():
            process_tree.limit_data(pid, data_bytes(limits))

    def memory_charge_bytes(self) -> int:
        """See `Sandbox`."""
        root = self._root
        return self._note_memory(root) if root else 0

    def memory_peak_bytes(self) -> int:
        """See `Sandbox`: the kernel's count for single processes, ours for all together."""
        root = self._root
        if root:
            self._note_memory(root)
            for pid in process_tree.descendants(root):
                if pid not in self._stale:
                    self._peak = max(self._peak, process_tree.peak_bytes(pid))
        return self._peak

    def reset_memory_peak(self) -> None:
        """See `Sandbox`."""
        root = self._root
        if root:
            pids = process_tree.descendants(root)
            self._stale = {pid for pid in pids if not process_tree.forget_peak(pid)}
            self._peak = process_tree.memory_bytes(root)

    def guest_path(self, path: str) -> str:
        """See `Sandbox`."""
        return path

    async def destroy(self) -> None:
        """See `Sandbox`."""
        if self._gone is not None:
            await asyncio.shield(self._gone)
            return
        self._gone = asyncio.get_running_loop().create_future()
        try:
            await self._dismantle()
        finally:
            self._gone.set_result(None)

    async def _dismantle(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for listener in self.listeners.values():
            listener.socket.close()
        # An init whose conversation has ended kills all it has, and ends. So does one that is not
        # there yet: what is half built must not be killed, lest its other half wait for ever.
        self._init.lose()
        await _ended(self._process)
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self._on_destroyed()

    def _kill(self) -> None:
        """The conversation is over: kill everything."""
        root = self._root
        if root:
            process_tree.kill(root)

    def _look(self) -> None:
        """Weigh the processes, kill them if they are too heavy, and look again later."""
        root = self._root
        if not root or self._gone is not None:
            return
        if not self._frozen and self._note_memory(root) > self._limits.memory_mb * _MIB:
            self.ran_out_of_memory = True
            process_tree.kill(root)
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(WATCH_INTERVAL_S, self._look)

    def _note_memory(self, root: int) -> int:
        used = process_tree.memory_bytes(root) if root else 0
        self._peak = max(self._peak, used)
        return used


def data_bytes(limits: ResourceLimits) -> int:
    """Return how much one process may ask of the kernel between two looks, in bytes.

    Generous: it is to save the host, not to be met; a program that is refused memory fails in
    other ways than one that is killed.
    """
    return (limits.memory_mb + _HEADROOM_MB) * _MIB


def start(
    command: Sequence[str], given: Sequence[int], *, stderr: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start the process that becomes, or waits for, an init.

    Args:
        command: absolute program and arguments.
        given: descriptors that it gets, under the same numbers.
        stderr: where its complaints go.

    Raises:
        HostUnfit: it cannot be started.
    """
    try:
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={},
            cwd="/",
            pass_fds=given,
            # Not with the terminal's Ctrl-C: the daemon drains first.
            start_new_session=True,
        )
    except OSError as error:
        raise HostUnfit(f"{command[0]} cannot be started: {error}.", "") from error


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has ended, killing it if it does not in time."""
    pidfd = os.pidfd_open(process.pid)
    try:
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                await _readable(pidfd)
        except TimeoutError:
            process.send_signal(signal.SIGSTOP)
            process_tree.kill(process.pid)
            process.kill()
            await _readable(pidfd)
    finally:
        os.close(pidfd)
        process.wait()


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def arrived() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(fd, arrived)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


def _pid_of(pidfd: int) -> int:
    """Return the process id of a pidfd in our own namespace; 0 if it has ended."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:  # noqa: PTH123
        fields = dict(line.split(":", 1) for line in file.read().splitlines())
    return max(int(fields["Pid"]), 0)
