"""A data plane on fake sandboxes: everything real but the kernel's part."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

import pytest

from lambdad.authz.role_credentials import RoleCredentials
from lambdad.authz.sessions import Sessions
from lambdad.config.sections import DataPlaneConfig, LogsConfig
from lambdad.dataplane.capacity import HostCapacity
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.functions import Function
from lambdad.domain.invocations import Invocation
from lambdad.domain.logs import LogBatches
from lambdad.observability.logs import LogWriter
from lambdad.runtimes.base import Runtime
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.extensions import LAYER, echo
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeBackend, Program


class Shelf:
    """One function, as the store gives it: `$LATEST`, and what a test puts into `versions`."""

    def __init__(self, function: Function) -> None:
        self.function: Function | None = function
        self.versions: dict[str, Function] = {}
        self._looks = count()

    @property
    def changes(self) -> int:
        return next(self._looks)  # tests change it behind its back

    def get(self, key: FunctionKey, version: str = LATEST) -> Function | None:
        if key != FUNCTION_KEY:
            return None
        return self.function if version == LATEST else self.versions.get(version)

    def runtimes(self) -> frozenset[tuple[str, int]]:
        return frozenset()


class Journal:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def append(self, batches: LogBatches) -> None:
        for _, segments in batches:
            for segment in segments:
                self.messages.extend(segment.messages)


class Packages:
    """Trees below a directory, and which of them were merged."""

    def __init__(self) -> None:
        self.root = Path("/nowhere")
        self.merged: list[Sequence[str]] = []

    def tree(self, digest: str) -> Path:
        return self.root / digest

    async def merge(self, digests: Sequence[str]) -> None:
        self.merged.append(digests)


class Runtimes:
    """Runs `x`, but for provided runtimes."""

    def find(self, identifier: str) -> Runtime:
        provided = identifier.startswith("provided")
        return Runtime(
            identifier=identifier,
            version="1",
            source="fake",
            argv=() if provided else ("x",),
            entrypoints=("/var/task/bootstrap", "/opt/bootstrap") if provided else (),
            mounts=(),
        )


class DataPlane:
    """The invoker under test and what a test wants to look at."""

    def __init__(
        self,
        program: Program,
        function: Function,
        tasks: asyncio.TaskGroup,
        programs: Mapping[str, Program] | None = None,
        **config: float,
    ) -> None:
        self.clock = FakeClock()
        self.shelf = Shelf(function)
        self.resources = engine("memory")(Path("/nowhere"), self.clock).resources
        self.journal = Journal()
        self.backend = FakeBackend(program, programs)
        self.packages = Packages()
        settings = DataPlaneConfig(**config)
        self.logs = LogWriter(self.journal, self.clock, LogsConfig())
        host = EnvironmentHost(
            backend=self.backend,
            runtimes=Runtimes(),
            packages=self.packages,
            logs=self.logs,
            clock=self.clock,
            config=settings,
            spawn_task=lambda work: tasks.create_task(work) and None,
            serve_endpoint=self._serve_endpoint,
            endpoint_port=4566,
            egress=False,
            credentials=RoleCredentials(Sessions(b"key"), self.clock),
        )
        capacity = HostCapacity(
            total_bytes=(settings.memory_mb or 1_000_000) * 1024 * 1024,
            environments=1_000,
            clock=self.clock,
            overcommit=settings.memory_overcommit,
        )
        self.invoker = Invoker(self.shelf, self.resources, host, settings, capacity=capacity)
        self._ids = itertools.count(1)

    @staticmethod
    async def _serve_endpoint(listener: object) -> Callable[[], None]:
        return listener.socket.close

    def invocation(self, payload: bytes = b"{}", *, tail: bool = False) -> Invocation:
        return Invocation(
            request_id=f"00000000-0000-4000-8000-{next(self._ids):012}",
            payload=payload,
            invoked_arn=FUNCTION_KEY.arn(),
            wants_log_tail=tail,
        )

    async def invoke(
        self, payload: bytes = b"{}", *, qualifier: str | None = None, tail: bool = False
    ):
        invocation = self.invocation(payload, tail=tail)
        return await self.invoker.invoke(FUNCTION_KEY, qualifier, invocation)

    async def log(self) -> list[str]:
        await self.logs.flush()
        return self.journal.messages

    async def settled(self) -> None:
        """Wait until nothing is busy or closing."""
        async with asyncio.timeout(10):
            await self.invoker.quiet()


Make = Callable[..., DataPlane]


@pytest.fixture
async def dataplane() -> AsyncIterator[Make]:
    """Factory of data planes that are taken down afterwards."""
    made: list[DataPlane] = []
    async with asyncio.TaskGroup() as tasks:

        def make(
            program: Program,
            function: Function | None = None,
            programs: Mapping[str, Program] | None = None,
            **config: float,
        ) -> DataPlane:
            made.append(DataPlane(program, function or a_function(), tasks, programs, **config))
            return made[-1]

        yield make
        for plane in made:
            await plane.invoker.drain(0.0)
            await plane.backend.close()


@pytest.fixture
def extended(dataplane: Make, tmp_path: Path) -> Make:
    """A data plane whose function has a layer with these extensions."""

    def make(
        programs: Mapping[str, Program],
        runtime: Program = echo,
        function: Function | None = None,
        mode: int = 0o755,
        **config: float,
    ) -> DataPlane:
        directory = tmp_path / LAYER.digest / "extensions"
        directory.mkdir(parents=True)
        for name in programs:
            (directory / name).write_text("#!/bin/sh\n")
            (directory / name).chmod(mode)
        guests = {f"/opt/extensions/{name}": program for name, program in programs.items()}
        plane = dataplane(
            runtime, function or a_function(layer_packages=(LAYER,)), guests, **config
        )
        plane.packages.root = tmp_path
        return plane

    return make
