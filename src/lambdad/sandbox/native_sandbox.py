"""One sandbox of the `native` backend: the handles held of it, and what is done by them.

How its parts are made is not known here, only how they are used and given back.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from lambdad.domain.clock import Clock
from lambdad.domain.environments import Mount, ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import ExitStatus, Listener, ProcessSpec
from lambdad.sandbox.cgroups import Cgroup
from lambdad.sandbox.init_client import InitClient
from lambdad.sandbox.injection import Injector
from lambdad.sandbox.netlink import Netlink

_LOG = logging.getLogger(__name__)
_MIB = 1024 * 1024
# PID 1 and what the kernel keeps of files and sockets need a few.
_KEPT_BYTES_MAX = 32 * _MIB
_KILL_TIMEOUT_S = 10.0
_READY_TIMEOUT_S = 30.0
# A network device goes some 20 ms after its namespace, in the kernel's own time.
_DEVICE_PAUSES_S = (0.002, 0.004, 0.008, 0.016, 0.032, *([0.064] * 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a sandbox occupies on the host.

    Attributes:
        uid: its user.
        cgroup: its control groups.
        extra_memory_mb: memory on top of the limit, for tmpfs.
        device: host's end of its wire, or None.
        storage: descriptor of the mount of `/tmp`, or None where that is in memory.
    """

    uid: int
    cgroup: Cgroup
    extra_memory_mb: int
    device: str | None
    storage: int | None

    def free(self, *, alive: bool = False) -> None:
        """Give back files and groups. Blocks; for a thread.

        Args:
            alive: whether there may be a process, of a sandbox that never stood.
        """
        if alive:
            self.cgroup.kill_all()
        if self.storage is not None:
            # The last holder, so that this returns when file system, device and disk space are
            # free.
            os.close(self.storage)
        self.cgroup.remove()


class NativeProcess:
    """A program in a sandbox; see `GuestProcess`."""

    def __init__(
        self,
        sandbox: NativeSandbox,
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
        status = ended.result()
        # Now, because the counter goes with the sandbox.
        out_of_memory = self._sandbox.ran_out_of_memory()
        self._status.set_result(
            ExitStatus(code=status.code, signal=status.signal, out_of_memory=out_of_memory)
        )

    async def wait(self) -> ExitStatus:
        """See `GuestProcess`."""
        return await asyncio.shield(self._status)

    def signal(self, number: signal.Signals) -> None:
        """See `GuestProcess`."""
        self._sandbox.signal(self._token, number)


class _Done:
    """What there is nothing to wait for of."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class NativeSandbox:
    """See `Sandbox`.

    State: `_standing` is done when it stands or is known not to; `_dead` is set when PID 1 has
    ended; `_destruction` is there from the first call of `destroy` on; `_frozen` may be true when
    it is not, never the other way round.

    Args:
        environment_id: its name.
        holdings: what it occupies; owned from now on.
        listeners: the sockets that listen in it, by port; owned from now on.
        control: socket to its PID 1; owned from now on.
        threads: where blocking work is done.
        injector: mounts into it from outside.
        clock: for when it stood.
        forks: whether its PID 1 was forked from a zygote, and can fork runtimes.
        own: starts a task that is awaited before the backend closes.
        on_destroyed: called once at the very end.
    """

    def __init__(
        self,
        environment_id: str,
        holdings: Holdings,
        listeners: Mapping[int, Listener],
        control: socket.socket,
        *,
        threads: Executor,
        injector: Injector,
        clock: Clock,
        forks: bool,
        own: Callable[[NativeSandbox], asyncio.Task[None]],
        on_destroyed: Callable[[NativeSandbox], None],
    ) -> None:
        self.environment_id = environment_id
        self.listeners = listeners
        self.stood = math.inf
        self.holdings = holdings
        self._cgroup = holdings.cgroup
        self._init = InitClient(control, self._kill)
        self._threads = threads
        self._injector = injector
        self._clock = clock
        self._forks = forks
        self._frozen = False
        self._own = own
        self._on_destroyed = on_destroyed
        self._pidfd: int | None = None
        self._standing: asyncio.Task[None] | None = None
        self._dead = asyncio.Event()
        self._destruction: asyncio.Task[None] | None = None
        self._oom_kills_before = 0

    @property
    def alive(self) -> bool:
        """See `Sandbox`."""
        return self._destruction is None and not self._dead.is_set()

    async def ready(self) -> None:
        """Wait until it stands.

        Raises:
            HostUnfit: it could not be built, and is to be destroyed.
        """
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                self._pidfd, _ = await self._init.ready(0)
        except TimeoutError as error:
            self._init.lose()
            raise HostUnfit("A sandbox was not built in 30 s.", "Is the host busy?") from error
        except HostUnfit:
            self._init.lose()
            raise
        self.stood = self._clock.monotonic()
        asyncio.get_running_loop().add_reader(self._pidfd, self._init_ended)

    def follow(self, standing: asyncio.Task[None]) -> None:
        """Be used from now on, while a task still waits for :meth:`ready`."""
        self._standing = standing

    async def _stands(self) -> int:
        """Wait until it stands, and return the descriptor of its PID 1."""
        if self._standing is not None:
            await asyncio.shield(self._standing)
        if self._pidfd is None or self._destruction is not None:
            raise HostUnfit("The sandbox is gone.", "Create a new one.")
        return self._pidfd

    async def spawn(self, process: ProcessSpec) -> NativeProcess:
        """See `Sandbox`. Thaws if frozen."""
        if self._destruction is not None:
            raise HostUnfit("The sandbox is gone.", "Create a new one.")
        self.thaw()
        if process.forked and not self._forks:
            process = replace(process, forked=False)
        try:
            pipes = [self._pipe() for _ in range(2 if process.telemetry else 1)]
        except OSError as error:
            raise HostUnfit(f"A program gets no pipe: {error}.", "Raise `ulimit -n`.") from error
        readers, writers = [reader for reader, _ in pipes], [writer for _, writer in pipes]
        self._oom_kills_before = self._cgroup.oom_kills()
        try:
            # Asked for at once: what is being built reads it when it stands.
            token, ended = await self._init.spawn(process, writers)
        except BaseException as error:
            for fd in readers:
                os.close(fd)
            if isinstance(error, HostUnfit):
                await self._stands()  # or why it does not, which is the better answer
            raise
        finally:
            for fd in writers:
                os.close(fd)
        return NativeProcess(
            self, token, ended, (readers[0], readers[1] if process.telemetry else None)
        )

    def _pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        # So that the program may open /dev/stdout anew, as shell scripts do.
        os.fchown(writer, self.holdings.uid, self.holdings.uid)
        return reader, writer

    def mount(self, mounts: Sequence[Mount]) -> Awaitable[None]:
        """See `Sandbox`."""
        if self._standing is not None and not self._standing.done():
            return self._mount_later(mounts)
        if self._destruction is not None or self._pidfd is None:
            raise HostUnfit("The sandbox is gone.", "Create a new one.")
        self._injector.mount(self._pidfd, mounts)
        return _Done()

    async def _mount_later(self, mounts: Sequence[Mount]) -> None:
        self._injector.mount(await self._stands(), mounts)

    def signal(self, token: int, number: signal.Signals) -> None:
        """Send a signal to one program."""
        with suppress(HostUnfit):
            self._init.signal(token, number)

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed for memory since the last spawn."""
        return self._cgroup.oom_kills() > self._oom_kills_before

    async def connect(self, port: int) -> socket.socket:
        """See `Sandbox`."""
        return await self._init.connect(port)

    async def kill_processes(self) -> None:
        """See `Sandbox`."""
        if self._destruction is not None:
            return
        self._cgroup.thaw()
        self._cgroup.unthrottle()
        try:
            async with asyncio.timeout(_KILL_TIMEOUT_S):
                await self._init.kill_all()
        except TimeoutError:
            _LOG.warning("sandbox %s does not end its processes: killed", self.environment_id)
            self._init.lose()
        self._check_that_it_can_go_on()

    def _check_that_it_can_go_on(self) -> None:
        if self._destruction is not None:
            return
        if self._init.lost:
            # Unthrottled it dies sooner.
            raise HostUnfit("The sandbox is gone.", "Create a new one.")
        self._cgroup.throttle()
        if self._memory_is_lost():
            raise HostUnfit("The sandbox has no memory left.", "Create a new one.")

    def _memory_is_lost(self) -> bool:
        """Whether memory stays in use without a process: shared segments, message queues.

        They go with the namespace; nothing started in it could live.
        """
        in_memory = self.holdings.extra_memory_mb * _MIB
        return self.ran_out_of_memory() and self._cgroup.memory_kept() > in_memory + _KEPT_BYTES_MAX

    def freeze(self) -> None:
        """See `Sandbox`."""
        # What was killed would not die: cgroup v1 keeps it until it is thawed.
        if self._destruction is None and not self._init.lost:
            self._frozen = True
            self._cgroup.freeze()

    def thaw(self) -> None:
        """See `Sandbox`."""
        # Most that is started was never frozen, and to say so takes the kernel its time.
        if self._frozen and self._destruction is None:
            self._cgroup.thaw()
            self._frozen = False

    def set_limits(self, limits: ResourceLimits) -> None:
        """See `Sandbox`.

        Raises:
            HostUnfit: more memory is in use than would be allowed.
        """
        if self._destruction is not None:
            return
        try:
            self._cgroup.set_limits(limits, extra_memory_mb=self.holdings.extra_memory_mb)
        except OSError as error:
            raise HostUnfit(f"Limits cannot be set: {error}.", "Use a new sandbox.") from error

    def memory_charge_bytes(self) -> int:
        """See `Sandbox`."""
        return self._cgroup.memory_usage()

    def memory_peak_bytes(self) -> int:
        """See `Sandbox`."""
        return self._cgroup.memory_peak()

    def reset_memory_peak(self) -> None:
        """See `Sandbox`."""
        if self._destruction is None:
            self._cgroup.reset_memory_peak()

    def guest_path(self, path: str) -> str:
        """See `Sandbox`."""
        return path

    async def destroy(self) -> None:
        """See `Sandbox`."""
        if self._destruction is None:
            self._destruction = self._own(self)
        await asyncio.shield(self._destruction)

    def _kill(self) -> None:
        """Kill PID 1, and by that everything."""
        if self._pidfd is not None and not self._dead.is_set():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        # v1 keeps what is frozen alive; and PID 1 may have to wait long for a processor while a
        # thousand others spin, so that all are killed.
        with suppress(OSError):
            self._cgroup.unthrottle()
            self._cgroup.kill_all()

    def _init_ended(self) -> None:
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
        self._dead.set()
        self._init.lose()

    async def dismantle(self) -> None:
        """Do what `destroy` promises; once, in the backend's task."""
        if self._standing is not None:
            # What is being built cannot be found, and so not be ended, before it stands.
            await asyncio.wait([self._standing])
        self._init.lose()
        stood = self._pidfd is not None
        if self._pidfd is not None:
            await self._dead.wait()
            os.close(self._pidfd)
        for listener in self.listeners.values():
            # Its user has closed it; if not, it would keep the network device alive.
            listener.socket.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, partial(self.holdings.free, alive=not stood))
        if self.holdings.device is not None:
            await device_gone(self.holdings.device)
        self._on_destroyed(self)


async def device_gone(name: str) -> None:
    """Wait until a network device has followed its namespace; remove it if it does not."""
    for pause_s in _DEVICE_PAUSES_S:
        try:
            socket.if_nametoindex(name)
        except OSError:
            return
        await asyncio.sleep(pause_s)
    # Something holds the namespace, a connection perhaps.
    with suppress(OSError), Netlink() as netlink:
        netlink.delete_link(netlink.index(name))
