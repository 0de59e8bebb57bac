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
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import Clock
from lambdad.domain.environments import Mount, Zygote
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import mounts
from lambdad.sandbox.base import Guard, SandboxSpec
from lambdad.sandbox.cgroups import Hierarchies
from lambdad.sandbox.confinement import Request
from lambdad.sandbox.footing import Footing, Foundry, Kind
from lambdad.sandbox.footings import Footings
from lambdad.sandbox.injection import Injector
from lambdad.sandbox.launcher_process import LauncherProcess, Launchers
from lambdad.sandbox.native_host import NativeHost
from lambdad.sandbox.native_sandbox import NativeSandbox
from lambdad.sandbox.slots import Slot, Slots

_T = TypeVar("_T")
_TMP = "/tmp"  # noqa: S108 - the guest's, not ours
# SECURITY: it names directories.
_ENVIRONMENT_ID = re.compile(r"[0-9a-z-]{1,64}")
# Built at once; more would only wait for the same processors and locks of the kernel.
_BUILDING_AT_ONCE = 8
_THREADS = 4
_FEW_VIEWS = 4


class NativeBackend:
    """See `SandboxBackend`.

    State: `_sandboxes` are those that stand or are being built or destroyed, with their slots;
    `_tasks` are constructions and destructions under way, `_constructing` counts the former.

    Args:
        config: users, limits and egress.
        state_dir: the daemon's own directory; also names its groups, devices and rules.
        clock: for how many starts there were lately, and when sandboxes stood.
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
        self._config = config
        self._clock = clock
        self._host = NativeHost(config, state_dir, hierarchies)
        self._launchers = Launchers(config, self._own)
        self._injector = Injector()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sandbox")
        self._building = asyncio.Semaphore(_BUILDING_AT_ONCE)
        self._constructing = 0
        self._is_open = False
        self._sandboxes: dict[NativeSandbox, Slot] = {}
        self._slots = Slots(
            config.max_environments,
            (f"uid-from-{config.first_uid}", f"address-in-{config.subnet}"),
            start=int(self._host.instance, 16),
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._foundry = Foundry(config, self._host, self._slots, self._threads)
        self._footings = Footings(
            self._foundry,
            clock,
            most=config.prepared,
            busy=lambda: self._constructing,
            own=self._own,
        )

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
        self._constructing += 1
        try:
            launcher, forks = await self._launchers.launcher(spec.zygote)
            await self._building.acquire()
        except BaseException:
            self._constructing -= 1
            raise
        try:
            sandbox = await self._begin(spec, launcher, forks=forks)
        except BaseException:
            self._constructed()
            raise
        standing = self._own(self._stand(sandbox))
        standing.add_done_callback(_noted)
        sandbox.follow(standing)
        if not spec.early:
            try:
                await asyncio.shield(standing)
            except BaseException:
                await sandbox.destroy()
                raise
        return sandbox

    async def _stand(self, sandbox: NativeSandbox) -> None:
        try:
            await sandbox.ready()
        finally:
            self._constructed()

    def _constructed(self) -> None:
        self._building.release()
        self._constructing -= 1

    async def _begin(
        self, spec: SandboxSpec, launcher: LauncherProcess, *, forks: bool
    ) -> NativeSandbox:
        if not self._is_open:
            raise HostUnfit("The sandbox backend is closed.", "Open it first.")
        if forks and spec.zygote:
            # Those are in its root already.
            shown = [mount for mount in spec.mounts if mount not in spec.zygote.mounts]
            spec = replace(spec, mounts=shown)
        kind = Kind(tuple(spec.ports), spec.egress, spec.limits.ephemeral_storage_mb)
        footing = await self._footings.obtain(kind, spec.environment_id, spec.limits)
        try:
            views = await self._views(spec, footing)
            try:
                return await self._launch(spec, footing, views, launcher, forks=forks)
            finally:
                for view in views:
                    os.close(view)
        except BaseException:
            await self._foundry.dispose(footing)
            raise

    async def _views(self, spec: SandboxSpec, footing: Footing) -> list[int]:
        """Open what it is to show, its root first."""
        root = [Mount(source=spec.root, target="/")] if spec.root else []
        shown = [*root, *spec.mounts]
        if len(shown) <= _FEW_VIEWS and not any(mount.writable for mount in shown):
            # Some ten microseconds each, less than a thread would cost.
            return mounts.views_of(shown, footing.holdings.uid)
        views: list[int] = await self._in_thread(mounts.views_of, shown, footing.holdings.uid)
        return views

    async def prepare(self, zygote: Zygote) -> None:
        """See `SandboxBackend`."""
        await self._launchers.prepare(zygote)

    async def _launch(
        self,
        spec: SandboxSpec,
        footing: Footing,
        views: list[int],
        launcher: LauncherProcess,
        *,
        forks: bool,
    ) -> NativeSandbox:
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise HostUnfit(f"A sandbox gets no socket: {error}.", "Raise `ulimit -n`.") from error
        storage = footing.holdings.storage
        given = [theirs.fileno(), *footing.procs, footing.network, *views]
        targets = [mount.target for mount in spec.mounts]
        if storage is not None:
            given.append(storage)
            targets.append(_TMP)
        request: Request = {
            "uid": footing.holdings.uid,
            "processes": spec.limits.processes,
            "descriptors": spec.limits.descriptors,
            "cgroups": len(footing.procs),
            "tmpfs_mb": footing.holdings.extra_memory_mb,
            "root": spec.root is not None,
            "targets": targets,
        }
        try:
            await launcher.request(request, given)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        footing.close_given()
        sandbox = NativeSandbox(
            spec.environment_id,
            footing.holdings,
            footing.listeners,
            ours,
            threads=self._threads,
            injector=self._injector,
            clock=self._clock,
            forks=forks,
            own=lambda it: self._own(it.dismantle()),
            on_destroyed=self._forget,
        )
        self._sandboxes[sandbox] = footing.slot
        return sandbox

    @property
    def prepared(self) -> int:
        """For how many sandboxes there is already all that holds no process."""
        return self._footings.ready

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
        await self._footings.close()
        while self._tasks or self._sandboxes:
            for sandbox in list(self._sandboxes):
                self._own(sandbox.destroy())
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._launchers.close()
        await self._host.close_egress()
        await self._in_thread(self._host.release)
        self._threads.shutdown()
        self._injector.close()
        await asyncio.to_thread(self._foundry.close)

    def _own(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start a task that `close` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work, *arguments)


def _noted(standing: asyncio.Task[None]) -> None:
    """Take note of how it went: who uses the sandbox is told."""
    if not standing.cancelled():
        standing.exception()
