"""The `native` backend: Linux namespaces, control groups and seccomp, set up by lambdad as root.

It decides which user, address and control groups a sandbox gets, and in what order its parts come
and go. How they work is known to the modules it is made of: launcher (processes), cgroups
(limits), ephemeral (`/tmp`), mounts, firewall and seccomp.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import Clock
from lambdad.domain.environments import Mount, Zygote
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import firewall, mounts
from lambdad.sandbox.base import Guard, SandboxSpec
from lambdad.sandbox.cgroups import Hierarchies
from lambdad.sandbox.confinement import Request, Wire
from lambdad.sandbox.injection import Injector
from lambdad.sandbox.launcher_process import LauncherProcess, Launchers
from lambdad.sandbox.native_host import NativeHost
from lambdad.sandbox.native_sandbox import Holdings, NativeSandbox
from lambdad.sandbox.slots import Slot, Slots

_T = TypeVar("_T")
# SECURITY: it names directories.
_ENVIRONMENT_ID = re.compile(r"[0-9a-z-]{1,64}")
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

    State: `_sandboxes` are those that stand or are being built or destroyed, with their slots;
    `_tasks` are constructions and destructions under way.

    Args:
        config: users, limits and egress.
        state_dir: the daemon's own directory; also names its groups, devices and rules.
        clock: not needed: nothing here has a date.
        hierarchies: control groups to use; those of this process by default.
    """

    name = "native"
    zygotes = True
    roots = True

    def __init__(
        self,
        config: SandboxConfig,
        state_dir: Path,
        clock: Clock,
        *,
        hierarchies: Hierarchies | None = None,
    ) -> None:
        del clock
        self._config = config
        self._host = NativeHost(config, state_dir, hierarchies)
        self._launchers = Launchers(config, self._own)
        self._injector = Injector()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sandbox")
        self._building = asyncio.Semaphore(_BUILDING_AT_ONCE)
        self._is_open = False
        self._sandboxes: dict[NativeSandbox, Slot] = {}
        self._slots = Slots(
            config.max_environments,
            (f"uid-from-{config.first_uid}", f"address-in-{config.subnet}"),
            start=int(self._host.instance, 16),
        )
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """See `SandboxBackend`."""
        self._is_open = True
        try:
            await self._in_thread(self._host.claim)
            await self._host.open_egress()
            await self._launchers.start()
        except OSError as error:
            await self.close()
            raise HostUnfit(f"The host refuses: {error}.", "See `lambdad doctor`.") from error
        except BaseException:
            await self.close()
            raise

    async def create(self, spec: SandboxSpec) -> NativeSandbox:
        """See `SandboxBackend`."""
        if not _ENVIRONMENT_ID.fullmatch(spec.environment_id):
            raise ValueError(f"not an environment id: {spec.environment_id!r}")
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
            if not self._is_open:
                raise HostUnfit("The sandbox backend is closed.", "Open it first.")
            launcher, forks = self._launchers.launcher(spec.zygote)
            if forks and spec.zygote:
                # Those are in its root already.
                shown = [mount for mount in spec.mounts if mount not in spec.zygote.mounts]
                spec = replace(spec, mounts=shown)
            # Made while the sandbox is, and put into it from outside: both take some milliseconds.
            storage = self._make_storage(spec.limits.ephemeral_storage_mb)
            try:
                slot = self._slots.take()
                try:
                    parts = await self._in_thread(self._prepare, spec, slot.number)
                except BaseException:
                    self._slots.release(slot)
                    raise
                sandbox = await self._launch(spec, slot, parts, launcher, forks=forks)
            except BaseException:
                if storage is not None:
                    storage.add_done_callback(_close_result)
                raise
            if storage is not None:
                await self._attach(sandbox, storage)
            return sandbox

    def _make_storage(self, size_mb: int) -> asyncio.Future[int] | None:
        if self._host.ephemeral is None:
            return None
        create = self._host.ephemeral.create
        return asyncio.get_running_loop().run_in_executor(self._threads, create, size_mb)

    async def _attach(self, sandbox: NativeSandbox, storage: asyncio.Future[int]) -> None:
        try:
            await sandbox.attach_storage(await storage)
        except OSError as error:
            await sandbox.destroy()
            raise _refused(error) from error
        except BaseException:
            await sandbox.destroy()
            raise

    async def prepare(self, zygote: Zygote) -> None:
        """See `SandboxBackend`."""
        await self._launchers.prepare(zygote)

    def _prepare(self, spec: SandboxSpec, slot: int) -> _Parts:
        """Make everything that needs no process; in a thread."""
        size_mb = spec.limits.ephemeral_storage_mb
        extra_memory_mb = 0 if self._host.ephemeral else size_mb
        cgroup = self._host.cgroups.group(spec.environment_id)
        device = None
        if spec.egress and self._host.egress:
            device = firewall.interface_name(self._host.instance, slot)
        with ExitStack() as undo:
            root = [Mount(source=spec.root, target="/")] if spec.root else []
            views = mounts.views_of([*root, *spec.mounts], self._config.first_uid + slot)
            for view in views:
                undo.callback(os.close, view)
            try:
                cgroup.create(spec.limits, extra_memory_mb=extra_memory_mb)
                undo.callback(cgroup.remove)
                procs = cgroup.open_procs()
            except OSError as error:
                raise _refused(error) from error
            undo.pop_all()
        holdings = Holdings(
            uid=self._config.first_uid + slot,
            cgroup=cgroup,
            extra_memory_mb=extra_memory_mb,
            device=device,
        )
        return _Parts(holdings, procs, views)

    async def _launch(
        self,
        spec: SandboxSpec,
        slot: Slot,
        parts: _Parts,
        launcher: LauncherProcess,
        *,
        forks: bool,
    ) -> NativeSandbox:
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            parts.close_given()
            await self._in_thread(partial(parts.holdings.free, alive=False))
            self._slots.release(slot)
            raise _refused(error) from error
        sandbox = NativeSandbox(
            spec.environment_id,
            parts.holdings,
            ours,
            threads=self._threads,
            injector=self._injector,
            forks=forks,
            own=lambda it: self._own(it.dismantle()),
            on_destroyed=self._forget,
        )
        self._sandboxes[sandbox] = slot
        given = [theirs.fileno(), *parts.procs, *parts.views]
        try:
            try:
                await launcher.request(self._request(spec, slot.number, parts), given)
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
            "tmpfs_mb": parts.holdings.extra_memory_mb,
            "root": spec.root is not None,
            "targets": [mount.target for mount in spec.mounts],
            "wire": wire,
        }

    def _forget(self, sandbox: NativeSandbox) -> None:
        self._slots.release(self._sandboxes.pop(sandbox))

    def guards(self) -> Sequence[Guard]:
        """See `SandboxBackend`."""
        return self._host.guards()

    async def close(self) -> None:
        """See `SandboxBackend`."""
        if not self._is_open:
            return
        self._is_open = False
        while self._tasks or self._sandboxes:
            for sandbox in list(self._sandboxes):
                self._own(sandbox.destroy())
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._launchers.close()
        await self._host.close_egress()
        await self._in_thread(self._host.release)
        self._threads.shutdown()
        self._injector.close()

    def _own(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start a task that `close` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work, *arguments)


def _refused(error: OSError) -> HostUnfit:
    return HostUnfit(f"A sandbox could not be prepared: {error}.", "See `lambdad doctor`.")


def _close_result(made: asyncio.Future[int]) -> None:
    if not made.cancelled() and made.exception() is None:
        os.close(made.result())
