"""The `native` backend: Linux namespaces, control groups and seccomp, set up by lambdad as root.

It decides which user, address and control groups a sandbox gets, and in what order its parts come
and go. How they work is known to the modules it is made of: launcher (processes), cgroups
(limits), ephemeral (`/tmp`), mounts, firewall and seccomp.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections import deque
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import firewall, mounts, native_guards, syscalls
from lambdad.sandbox.base import Guard, SandboxSpec
from lambdad.sandbox.cgroups import CgroupTree, Hierarchies
from lambdad.sandbox.confinement import Request, Wire
from lambdad.sandbox.ephemeral import EphemeralStorage
from lambdad.sandbox.launcher_process import LauncherProcess
from lambdad.sandbox.native_sandbox import Holdings, NativeSandbox
from lambdad.sandbox.netlink import Netlink
from lambdad.sandbox.seccomp import filter_program

_T = TypeVar("_T")
# Built at once; more would only wait for the same processors and locks of the kernel.
_BUILDING_AT_ONCE = 8
_THREADS = 4
_READY_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Parts:
    """A sandbox's holdings, and the descriptors that its process is given."""

    holdings: Holdings
    procs: list[int]
    views: list[int]

    def close_given(self) -> None:
        for fd in (*self.procs, *self.views):
            os.close(fd)


class NativeBackend:
    """See `SandboxBackend`.

    State: `_sandboxes` and `_free_slots` together are all slots; `_tasks` are constructions and
    destructions under way.

    Args:
        config: users, limits and egress.
        state_dir: the daemon's own directory; also names its groups, devices and rules.
        clock: not needed: nothing here has a date.
    """

    name = "native"

    def __init__(self, config: SandboxConfig, state_dir: Path, clock: Clock) -> None:
        del clock
        self._config = config
        self._state_dir = state_dir
        self._instance = firewall.instance_of(state_dir)
        self._ephemeral: EphemeralStorage | None = None
        self._no_ephemeral = self._no_egress = ""
        self._egress: firewall.Firewall | None = None
        self._lock_fd: int | None = None
        self._dynmods_fd: int | None = None
        self._sandboxes: dict[NativeSandbox, int] = {}
        self._free_slots = self._slots()
        self._tasks: set[asyncio.Task[Any]] = set()

    def _slots(self) -> deque[int]:
        """All slots; different daemons begin at different ones, since they share the ranges."""
        count = self._config.max_environments
        slots = deque(range(count))
        slots.rotate(-(int(self._instance, 16) % count))
        return slots

    async def open(self) -> None:
        """See `SandboxBackend`."""
        if os.geteuid() != 0:
            raise HostUnfit("The native backend needs root.", "Run lambdad as root.")
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sandbox")
        self._building = asyncio.Semaphore(_BUILDING_AT_ONCE)
        self._launcher = LauncherProcess(
            self._config.first_uid, self._config.max_environments, filter_program()
        )
        try:
            await self._in_thread(self._claim_host)
            await self._open_egress()
            await self._launcher.start()
        except BaseException:
            await self.close()
            raise

    def _claim_host(self) -> None:
        self._state_dir.mkdir(parents=True, exist_ok=True)
        self._lock_fd = os.open(self._state_dir / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HostUnfit(
                f"Another lambdad uses {self._state_dir}.", "Stop it, or use another directory."
            ) from error
        proc = Path("/proc/self")
        hierarchies = Hierarchies.discover(
            (proc / "mountinfo").read_text(), (proc / "cgroup").read_text()
        )
        self._cgroups = CgroupTree(hierarchies, self._instance)
        self._sweep()
        self._cgroups.open()
        if self._config.favordynmods:
            self._dynmods_fd = _favor_dynamic_modifications()
        storage = EphemeralStorage(self._state_dir / "tmp")
        try:
            storage.open()
            self._ephemeral = storage
        except HostUnfit as error:
            self._no_ephemeral = str(error)

    def _sweep(self) -> None:
        """Remove what a killed predecessor left: processes, groups, devices."""
        groups = [self._cgroups.group(name) for name in self._cgroups.leftovers()]
        for group in groups:
            group.kill_all()
        for group in groups:
            group.remove()
        with Netlink() as netlink:
            for index, _ in netlink.links(firewall.interface_prefix(self._instance)):
                # Gone already if its namespace was faster.
                with suppress(OSError):
                    netlink.delete_link(index)

    async def _open_egress(self) -> None:
        if not self._config.egress:
            self._no_egress = "switched off by sandbox.egress"
            return
        rules = firewall.Firewall(self._config, self._state_dir, firewall.host_resolvers())
        try:
            await rules.apply()
            self._egress = rules
        except HostUnfit as error:
            self._no_egress = str(error)

    async def create(self, spec: SandboxSpec) -> NativeSandbox:
        """See `SandboxBackend`."""
        construction = self._own(self._construct(spec))
        try:
            return await asyncio.shield(construction)
        except asyncio.CancelledError:
            construction.add_done_callback(self._discard)
            raise

    def _discard(self, construction: asyncio.Task[NativeSandbox]) -> None:
        """Destroy a sandbox that nobody waits for any more."""
        if not construction.cancelled() and construction.exception() is None:
            self._own(construction.result().destroy())

    async def _construct(self, spec: SandboxSpec) -> NativeSandbox:
        async with self._building:
            if not self._free_slots:
                raise HostUnfit(
                    f"There are {self._config.max_environments} environments already.",
                    "Raise sandbox.max_environments.",
                )
            slot = self._free_slots.popleft()
            try:
                parts = await self._in_thread(self._prepare, spec, slot)
            except BaseException:
                self._free_slots.append(slot)
                raise
            return await self._launch(spec, slot, parts)

    def _prepare(self, spec: SandboxSpec, slot: int) -> _Parts:
        """Make everything that needs no process; in a thread."""
        views = mounts.read_only_views(spec.mounts)
        tmp: int | None = None
        try:
            size_mb = spec.limits.ephemeral_storage_mb
            if self._ephemeral:
                tmp = self._ephemeral.create(size_mb)
            extra_memory_mb = 0 if self._ephemeral else size_mb
            cgroup = self._cgroups.group(spec.environment_id)
            cgroup.create(spec.limits, extra_memory_mb=extra_memory_mb)
            device = None
            if spec.egress and self._egress:
                device = firewall.interface_name(self._instance, slot)
            holdings = Holdings(
                uid=self._config.first_uid + slot,
                cgroup=cgroup,
                tmp=tmp,
                extra_memory_mb=extra_memory_mb,
                device=device,
            )
            return _Parts(holdings, cgroup.open_procs(), views)
        except OSError as error:
            for fd in (*views, *([] if tmp is None else [tmp])):
                os.close(fd)
            raise HostUnfit(
                f"A sandbox could not be prepared: {error}.", "See `lambdad doctor`."
            ) from error

    async def _launch(self, spec: SandboxSpec, slot: int, parts: _Parts) -> NativeSandbox:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sandbox = NativeSandbox(
            spec.environment_id,
            parts.holdings,
            ours,
            threads=self._threads,
            own=lambda it: self._own(it.dismantle()),
            on_destroyed=self._forget,
        )
        self._sandboxes[sandbox] = slot
        tmp = parts.holdings.tmp
        given = [theirs.fileno(), *parts.procs, *([] if tmp is None else [tmp]), *parts.views]
        try:
            try:
                await self._launcher.request(self._request(spec, slot, parts), given)
            finally:
                theirs.close()
                parts.close_given()
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await sandbox.ready(tuple(spec.ports))
        except TimeoutError as error:
            await sandbox.destroy()
            raise HostUnfit(
                "A sandbox was not built in 30 s.", "Is the host overloaded?"
            ) from error
        except BaseException:
            await sandbox.destroy()
            raise
        return sandbox

    def _request(self, spec: SandboxSpec, slot: int, parts: _Parts) -> Request:
        wire: Wire | None = None
        if parts.holdings.device:
            wire = {
                "host_device": parts.holdings.device,
                "address": firewall.guest_address(self._config.subnet, slot),
                "gateway": firewall.gateway_address(self._config.subnet),
            }
        return {
            "uid": parts.holdings.uid,
            "processes": spec.limits.processes,
            "descriptors": spec.limits.descriptors,
            "ports": list(spec.ports),
            "cgroups": len(parts.procs),
            "tmp": parts.holdings.tmp is not None,
            "tmpfs_mb": spec.limits.ephemeral_storage_mb,
            "targets": [mount.target for mount in spec.mounts],
            "wire": wire,
        }

    def _forget(self, sandbox: NativeSandbox) -> None:
        self._free_slots.append(self._sandboxes.pop(sandbox))

    def guards(self) -> Sequence[Guard]:
        """See `SandboxBackend`."""
        return native_guards.guards(
            self._cgroups, no_ephemeral=self._no_ephemeral, no_egress=self._no_egress
        )

    async def close(self) -> None:
        """See `SandboxBackend`."""
        while self._tasks or self._sandboxes:
            for sandbox in list(self._sandboxes):
                self._own(sandbox.destroy())
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._lock_fd is None:
            return
        await self._launcher.close()
        if self._egress:
            with suppress(HostUnfit):
                await self._egress.remove()
            self._egress = None
        await self._in_thread(self._release_host)
        self._threads.shutdown()

    def _release_host(self) -> None:
        self._cgroups.close()
        for fd in (self._dynmods_fd, self._lock_fd):
            if fd is not None:
                os.close(fd)
        self._dynmods_fd = self._lock_fd = None

    def _own(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start a task that `close` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work, *arguments)


def _favor_dynamic_modifications() -> int | None:
    """Make attaching to v1 groups take 0.1 instead of 7 ms: a kernel-wide switch.

    It comes with any hierarchy that is mounted so, also an empty one that nobody sees. Older
    kernels take it back when the hierarchy goes, so the descriptor is kept.
    """
    options: dict[str, str | None] = {"none": None, "name": "lambdad", "favordynmods": None}
    try:
        return syscalls.new_mount("cgroup", options, 0)
    except OSError:
        return None
