"""What every environment on this host shares: sandboxes, runtimes, logs, time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lambdad.authz.role_credentials import RoleCredentials
from lambdad.config.sections import DataPlaneConfig
from lambdad.dataplane.bytecode import ByteCode, with_byte_code
from lambdad.dataplane.commands import command_of
from lambdad.dataplane.container_credentials import ContainerCredentials
from lambdad.dataplane.extension_programs import ExtensionProgram, programs_of
from lambdad.dataplane.file_systems import mounts_of
from lambdad.dataplane.hot_reload import FolderWatches
from lambdad.dataplane.identities import Identities, ServeEndpoint
from lambdad.dataplane.image_runtimes import Images, RuntimeFinder, runtime_in
from lambdad.dataplane.prewarm.pool import EPHEMERAL_STORAGE_MB, PrewarmPool
from lambdad.dataplane.prewarm.waiting import WaitingRuntime
from lambdad.dataplane.runtime_api.channel import RuntimeChannel, with_channel
from lambdad.dataplane.runtime_api.pipes import open_pipes
from lambdad.dataplane.runtime_api.session import RuntimeSession
from lambdad.dataplane.runtime_process import OutputLog, RuntimeProcess
from lambdad.dataplane.snapshot_obstacles import obstacle
from lambdad.dataplane.snapstart.image import Capture, Restore
from lambdad.dataplane.snapstart.restorer import start_restorer
from lambdad.dataplane.timing import Timing
from lambdad.domain import limits, snapstart
from lambdad.domain.clock import Clock
from lambdad.domain.environments import (
    LAYER_ROOT,
    RUNTIME_API_PORT,
    TASK_ROOT,
    InitializationType,
    Mount,
    ResourceLimits,
)
from lambdad.domain.errors import HostUnfit
from lambdad.domain.functions import Function
from lambdad.domain.images import ImageProblem
from lambdad.observability.logs import LogWriter
from lambdad.observability.metrics import Metrics
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.environment import can_follow, for_extensions
from lambdad.sandbox.base import (
    ExitStatus,
    ProcessSpec,
    Sandbox,
    SandboxBackend,
    SandboxSpec,
)
from lambdad.storage.base import PackageStore

_LOGGER = logging.getLogger(__name__)
SpawnTask = Callable[[Coroutine[Any, Any, None]], None]


class EnvironmentHost:
    """Makes sandboxes and runtime processes for functions. Mutable: the runtimes found so far.

    `serve_endpoint` serves lambdad's AWS endpoint on a listener inside a sandbox and returns
    what ends it; `endpoint_port` is where the guest finds it.
    """

    def __init__(
        self,
        *,
        backend: SandboxBackend,
        runtimes: RuntimeFinder,
        packages: PackageStore,
        logs: LogWriter,
        clock: Clock,
        config: DataPlaneConfig,
        spawn_task: SpawnTask,
        serve_endpoint: ServeEndpoint,
        endpoint_port: int,
        egress: bool,
        credentials: RoleCredentials,
        filesystems: Mapping[str, Path] | None = None,
        images: Images | None = None,
        hot_reload: bool = False,
        prewarm: PrewarmPool | None = None,
        byte_code: ByteCode | None = None,
        snapshot_directory: Path | None = None,
    ) -> None:
        self.clock = clock
        self.logs = logs
        self.metrics = Metrics(clock)
        self.spawn_task = spawn_task
        self.timing = Timing()
        self.init_timeout_s = config.init_timeout_s
        self.stream_bytes_per_s = config.stream_pace_mb * 1024 * 1024
        self._backend = backend
        self._runtimes = runtimes
        self._packages = packages
        self._endpoint_port = endpoint_port
        self._egress = egress
        self._filesystems = filesystems or {}
        self._images = images
        self._found: dict[str, Runtime] = {}
        self._prewarm = prewarm
        self._byte_code = byte_code
        self.snapshot_directory = snapshot_directory
        self.identities = Identities(credentials, serve_endpoint, endpoint_port)
        self._waiting: dict[Sandbox, WaitingRuntime] = {}
        self.folders = FolderWatches(spawn_task, allowed=hot_reload)

    def watch(self, busy: Callable[[], int]) -> None:
        """Take note of how many environments work, so as not to compete with them."""
        if self._prewarm is not None:
            self._prewarm.busy = busy
        if self._byte_code is not None:
            self._byte_code.busy = busy

    def new_environment_id(self) -> str:
        """A name that was never used before."""
        return os.urandom(8).hex()

    def limits(self, function: Function) -> ResourceLimits:
        """What an environment may use while it runs events."""
        return ResourceLimits(
            memory_mb=function.memory_mb,
            vcpus=limits.vcpus(function.memory_mb),
            ephemeral_storage_mb=function.ephemeral_storage_mb,
        )

    async def runtime(self, identifier: str) -> Runtime:
        """Find a runtime; the first look may take a second, so it is taken in a thread.

        Raises:
            HostUnfit: this host lacks it.
        """
        runtime = self._found.get(identifier)
        if runtime is None:
            runtime = await asyncio.to_thread(self._runtimes.find, identifier)
            self._found[identifier] = runtime
        return runtime

    async def runtime_of(self, function: Function) -> Runtime:
        """Find what a function runs: a runtime of this host, or its own image.

        Raises:
            HostUnfit: this host lacks it, or cannot confine it.
        """
        if function.code.image is None:
            return await self.runtime(function.runtime)
        if self._images is None or not self._backend.roots:
            raise HostUnfit(
                f"The sandbox backend {self._backend.name} cannot run container images.",
                "Run lambdad as root, so that it takes the native backend.",
            )
        try:
            return await runtime_in(self._images, function)
        except ImageProblem as problem:
            raise HostUnfit(problem.message, "Update the function's code.") from problem

    async def prepare(self, function: Function) -> None:
        """Do ahead what the first environment of a function would wait for."""
        if function.code.image is not None:
            return
        with contextlib.suppress(HostUnfit):  # said to whoever invokes the function
            await self._merge_layers(function)
            runtime = await self.runtime(function.runtime)
            if self._prewarm is not None and _may_be_ahead(runtime, function):
                self._prewarm.announce(runtime, function.memory_mb)
            if self._byte_code is not None:
                self._byte_code.announce(runtime, function)

    async def announce(self, runtimes: Iterable[tuple[str, int]]) -> None:
        """Begin to keep environments ready for functions that are there already."""
        if self._prewarm is None:
            return
        for identifier, memory_mb in sorted(runtimes):
            with contextlib.suppress(HostUnfit):  # said to whoever invokes such a function
                self._prewarm.announce(await self.runtime(identifier), memory_mb)

    async def create_sandbox(
        self, environment_id: str, function: Function, *, restored: bool = False
    ) -> Sandbox:
        """Build a sandbox with the function's code, its layers and its runtime in it.

        Without a CPU quota: AWS gives the init phase a full share, whatever the memory size.
        `restored`: its process goes on with a snapshot.

        Raises:
            HostUnfit: the host lacks the runtime or refused the sandbox.
        """
        if function.code.folder is not None:
            self.folders.watch(function.code.folder)
        runtime = await self.runtime_of(function)
        await self._merge_layers(function)
        brought = [
            *(Mount(source=tree, target=place) for place, tree in self._trees(function).items()),
            *self.file_systems(function),
        ]
        limits = replace(self.limits(function), vcpus=None)
        # A restorer wants to be the first process that there is.
        first = restored and bool(runtime.restorer)
        waiting = None if first else await self._take_waiting(runtime, function)
        if waiting is not None:
            if waiting.adopt(brought, limits):
                self._waiting[waiting.sandbox] = waiting
                return waiting.sandbox
            _LOGGER.warning("an environment has ended while it waited for a function")
            await waiting.dispose()
        return await self._backend.create(
            SandboxSpec(
                environment_id=environment_id,
                mounts=(*runtime.mounts, *brought),
                limits=limits,
                ports=(RUNTIME_API_PORT, self._endpoint_port),
                egress=self._egress,
                zygote=runtime.zygote if _may_be_ahead(runtime, function) else None,
                root=runtime.root,
                early=True,
            )
        )

    async def _take_waiting(self, runtime: Runtime, function: Function) -> WaitingRuntime | None:
        if self._prewarm is None or not _may_be_ahead(runtime, function):
            return None
        # What a function that needs more than every sandbox has cannot be added later on.
        odd_size = function.ephemeral_storage_mb != EPHEMERAL_STORAGE_MB
        if odd_size or self.file_systems(function):
            return None
        if snapstart.applies(function):
            # Who is to take a snapshot on has to wait for it.
            return await self._prewarm.obtain(runtime, function.memory_mb)
        return self._prewarm.take(runtime, function.memory_mb)

    async def dispose(self, sandbox: Sandbox) -> None:
        """Take a sandbox down."""
        waiting = self._waiting.pop(sandbox, None)
        if waiting is not None:
            waiting.let_go()
        await sandbox.destroy()

    def file_systems(self, function: Function) -> Sequence[Mount]:
        """Return the mounts of the function's file systems; raises as `file_systems.mounts_of`."""
        return mounts_of(function, self._filesystems)

    async def serve_endpoint(self, sandbox: Sandbox) -> Callable[[], None]:
        """Serve the AWS endpoint inside a sandbox; credentials are good until that ends."""
        return await self.identities.serve(sandbox)

    async def variables(
        self,
        sandbox: Sandbox,
        function: Function,
        initialization: InitializationType,
        log_stream: str,
        asked: ContainerCredentials | None = None,
    ) -> Mapping[str, str]:
        """Make the variables of one init, with credentials of its own or where to ask for them.

        Raises:
            HostUnfit: this host lacks the runtime.
        """
        return self.identities.variables(
            sandbox,
            function,
            runtime=await self.runtime_of(function),
            initialization=initialization,
            log_stream=log_stream,
            asked=asked,
        )

    async def snapshot_obstacle(self, function: Function) -> str | None:
        """Return why there can be no snapshot of a version, or None; raises as `runtime_of`."""
        if self.snapshot_directory is None or self._prewarm is None:
            return "This host makes no snapshots."
        await self._merge_layers(function)
        return obstacle(
            await self.runtime_of(function),
            function,
            zygotes=self._backend.zygotes,
            extended=bool(self.extensions(function)),
        )

    async def start_runtime(
        self,
        sandbox: Sandbox,
        function: Function,
        environment: Mapping[str, str],
        log: OutputLog,
        exited: Callable[[ExitStatus], None],
        *,
        session: RuntimeSession,
        image: Capture | Restore | None = None,
    ) -> RuntimeProcess:
        """Start the runtime process in a sandbox, with variables of :meth:`variables`.

        Its calls go to `session`, over a channel where its client has that, else over HTTP. With
        an `image` it writes a snapshot or takes one on, which that tells of.

        Raises:
            NoEntrypoint: the function brings no program to start.
            HostUnfit: the sandbox is gone.
        """
        runtime = await self.runtime_of(function)
        with self._compiled(runtime, function) as packs:
            waiting = self._waiting.pop(sandbox, None)
            if (
                waiting is not None
                and (assigned := await waiting.assign(environment, packs, image)) is not None
            ):
                process, side = assigned
                channel = RuntimeChannel(side, session) if side is not None else None
                return RuntimeProcess(process, log, exited, self.spawn_task, channel)
            if isinstance(image, Restore) and runtime.restorer and not image.gone:
                restored = await start_restorer(sandbox, runtime, environment, image)
                return RuntimeProcess(restored, log, exited, self.spawn_task)
            if image is not None:
                image.decline("No environment was ready to be given its function.")
            spec = ProcessSpec(
                argv=command_of(runtime, function, self._trees(function)),
                environment=environment,
                cwd=runtime.directory,
                telemetry=runtime.telemetry,
                forked=runtime.zygote is not None and _may_be_ahead(runtime, function),
            )
            spec = with_byte_code(spec, packs)
            if not runtime.channel:
                return RuntimeProcess(await sandbox.spawn(spec), log, exited, self.spawn_task)
            ours, theirs = open_pipes()
            with theirs:
                try:
                    process = await sandbox.spawn(with_channel(spec, theirs))
                except BaseException:
                    ours.close()
                    raise
            channel = RuntimeChannel(ours, session)
            return RuntimeProcess(process, log, exited, self.spawn_task, channel)

    def _compiled(
        self, runtime: Runtime, function: Function
    ) -> AbstractContextManager[Sequence[int]]:
        if self._byte_code is None:
            return contextlib.nullcontext(())
        return self._byte_code.opened(runtime, function)

    def extensions(self, function: Function) -> Sequence[ExtensionProgram]:
        """Find the external extensions that a function's layers, or its image, bring."""
        return programs_of(function, self._packages, self._images)

    async def start_extension(
        self,
        sandbox: Sandbox,
        name: str,
        environment: Mapping[str, str],
        log: OutputLog,
        exited: Callable[[ExitStatus], None],
    ) -> RuntimeProcess:
        """Start an external extension, with what it gets of variables of :meth:`variables`.

        Raises:
            HostUnfit: the sandbox is gone.
        """
        if (waiting := self._waiting.get(sandbox)) is not None:
            await waiting.furnish()
        process = await sandbox.spawn(
            ProcessSpec(
                argv=(f"{LAYER_ROOT}/extensions/{name}",),
                environment=for_extensions(environment),
                cwd="/",
            )
        )
        return RuntimeProcess(process, log, exited, self.spawn_task)

    async def _merge_layers(self, function: Function) -> None:
        if function.layer_packages:
            await self._packages.merge([package.digest for package in function.layer_packages])

    def _trees(self, function: Function) -> Mapping[str, Path]:
        """What the function brings, by where it is in the sandbox."""
        if function.code.image is not None:
            return {}
        folder = function.code.folder
        code = self._packages.tree(function.code.digest) if folder is None else Path(folder)
        trees = {TASK_ROOT: code}
        if function.layer_tree is not None:
            trees[LAYER_ROOT] = self._packages.tree(function.layer_tree)
        return trees


def _may_be_ahead(runtime: Runtime, function: Function) -> bool:
    """Whether its process or its sandbox may be there before, or share what it starts with."""
    if runtime.root is not None:
        return False
    return not runtime.argv or can_follow(function.environment)
