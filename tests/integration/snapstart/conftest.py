"""Real sandboxes, real interpreters: a function is initialised once and goes on in others."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lambdad.config.sections import RuntimesConfig, SandboxConfig
from lambdad.dataplane.prewarm.waiting import WaitingRuntime, start_waiting
from lambdad.dataplane.runtime_api.channel import RuntimeChannel
from lambdad.dataplane.runtime_api.session import RuntimeEvent, RuntimeSession
from lambdad.dataplane.snapstart.image import Capture, Restore, Snapshot
from lambdad.domain.clock import SystemClock
from lambdad.domain.environments import Mount, ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.domain.invocations import Invocation
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.catalogue import Catalogue
from lambdad.runtimes.environment import environment_of
from lambdad.sandbox.base import ExitStatus, GuestProcess, SandboxBackend, SandboxSpec
from lambdad.sandbox.registry import backend as backend_type
from lambdad.testing.deploy import RUNTIME
from lambdad.testing.functions import a_function

DEADLINE_S = 60
_STORAGE_MB = 512


class Environment:
    """A process with its function, and what it says."""

    def __init__(self, waiting: WaitingRuntime) -> None:
        self.sandbox = waiting.sandbox
        self.output = b""
        self._waiting = waiting
        self._process: GuestProcess | None = None
        self._session = RuntimeSession(self)
        self._channel: RuntimeChannel | None = None
        self._said: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._ids = itertools.count()

    async def begin(self, variables: dict[str, str], image: Capture | Restore | None) -> None:
        assigned = await self._waiting.assign(variables, image=image)
        assert assigned is not None
        self._process, connection = assigned
        assert connection is not None
        self._channel = RuntimeChannel(connection, self._session)

    async def ready(self) -> None:
        """Wait until it asks for an event."""
        said = await self._heard()
        assert said == ("ready", None), (said, self.printed())

    async def failure(self) -> tuple[str, Any]:
        """Wait until it says that it could not initialise."""
        kind, what = await self._heard()
        assert kind == "init failed", (kind, what, self.printed())
        return what

    def deliver(self, event: Any) -> None:
        """Give it an event."""
        self._session.deliver(
            RuntimeEvent(
                invocation=Invocation(
                    request_id=f"id-{next(self._ids)}",
                    payload=json.dumps(event).encode(),
                    invoked_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
                ),
                trace_header="",
                deadline_ms=2_000_000_000_000,
            )
        )

    async def invoke(self, event: Any) -> Any:
        """Return the handler's answer."""
        self.deliver(event)
        kind, answer = await self._heard()
        assert kind == "responded", (kind, answer, self.printed())
        await self.ready()
        return json.loads(answer)

    async def ended(self) -> ExitStatus:
        assert self._process is not None
        async with asyncio.timeout(DEADLINE_S):
            return await self._process.wait()

    def printed(self) -> str:
        """What it has printed so far."""
        assert self._process is not None
        try:
            while piece := os.read(self._process.output, 65536):
                self.output += piece
        except BlockingIOError:
            pass
        return self.output.decode(errors="replace")

    async def close(self) -> None:
        """Take it down; may be called twice."""
        if self._channel is None:
            return
        self._channel.close()
        self._channel = None
        await self._waiting.dispose()

    async def _heard(self) -> tuple[str, Any]:
        assert self._process is not None
        said = asyncio.create_task(self._said.get())
        ended = asyncio.create_task(self._process.wait())
        await asyncio.wait((said, ended), timeout=DEADLINE_S, return_when="FIRST_COMPLETED")
        ended.cancel()
        assert said.done(), (ended, self.printed())
        return said.result()

    # -- RuntimeObserver ----------------------------------------------------------------------

    def runtime_ready(self) -> None:
        self._said.put_nowait(("ready", None))

    def init_failed(self, error_type: str, payload: bytes) -> None:
        self._said.put_nowait(("init failed", (error_type, json.loads(payload))))

    def invocation_responded(self, payload: bytes) -> None:
        self._said.put_nowait(("responded", payload))

    def invocation_failed(self, error_type: str, payload: bytes) -> None:
        self._said.put_nowait(("failed", payload))


class Host:
    """Makes environments of one runtime. Mutable: what is to be taken down."""

    def __init__(self, backend: SandboxBackend, runtime: Runtime, directory: Path) -> None:
        self.runtime = runtime
        self.directory = directory
        self._backend = backend
        self._stack = AsyncExitStack()

    async def start(
        self,
        code: Path,
        image: Capture | Restore | None = None,
        memory_mb: int = 512,
        **variables: str,
    ) -> Environment:
        """Give a new environment its function; see `Environment` for what follows."""
        assert self.runtime.zygote is not None
        await self._backend.prepare(self.runtime.zygote)
        sandbox = await self._backend.create(
            SandboxSpec(
                environment_id=os.urandom(8).hex(),
                mounts=self.runtime.mounts,
                limits=ResourceLimits(memory_mb=128, vcpus=None, ephemeral_storage_mb=_STORAGE_MB),
                ports=(),
                egress=False,
                zygote=self.runtime.zygote,
            )
        )
        environment = Environment(await start_waiting(sandbox, self.runtime, None))
        self._stack.push_async_callback(environment.close)
        limits = ResourceLimits(memory_mb=memory_mb, vcpus=None, ephemeral_storage_mb=_STORAGE_MB)
        mount = Mount(source=code, target="/var/task")
        assert environment._waiting.adopt([mount], limits)
        await environment.begin({**self._variables(), **variables}, image)
        return environment

    async def snapshot(
        self, code: Path, memory_mb: int = 512, image_mb: int | None = None, **variables: str
    ) -> Snapshot:
        """Initialise a function and take its snapshot; raises `SnapshotRefused`."""
        capture = Capture(self.directory, memory_mb if image_mb is None else image_mb)
        environment = await self.start(code, capture, memory_mb, **variables)
        await environment.ready()
        assert capture.begun.is_set()
        try:
            async with asyncio.timeout(DEADLINE_S):
                snapshot = await capture.result()
        finally:
            await environment.close()
        self._stack.callback(snapshot.close)
        return snapshot

    async def restore(
        self, code: Path, snapshot: Snapshot, memory_mb: int = 512, **variables: str
    ) -> Environment:
        """Start an environment by a snapshot, and wait until it is ready."""
        restore = Restore(snapshot)
        self._stack.callback(restore.close)
        environment = await self.start(code, restore, memory_mb, **variables)
        await environment.ready()
        outcome = restore.outcome()
        assert outcome.restored, (outcome, environment.printed())
        return environment

    def _variables(self) -> dict[str, str]:
        return environment_of(
            self.runtime,
            a_function(runtime=self.runtime.identifier),
            runtime_api="127.0.0.1:9001",
            endpoint_url=None,
            log_stream=os.urandom(4).hex(),
            credentials={"AWS_SESSION_TOKEN": os.urandom(4).hex()},
            initialization_type="snap-start",
        )

    async def close(self) -> None:
        await self._stack.aclose()


@dataclass(frozen=True)
class Machine:
    """What takes long to come up: shared by the tests of a file."""

    backend: SandboxBackend
    catalogue: Catalogue

    async def host(self, identifier: str, directory: Path) -> Host:
        try:
            runtime = await asyncio.to_thread(self.catalogue.find, identifier)
        except HostUnfit as lacking:
            pytest.skip(str(lacking))
        return Host(self.backend, runtime, directory)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    # Numbers of their own: other tests' daemons run at the same time.
    config = SandboxConfig(
        egress=False, first_uid=2_700_000, max_environments=32, subnet="100.122.0.0/16"
    )
    async with _machine(tmp_path_factory.mktemp("machine"), config) as machine:
        yield machine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other_machine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    """The same interpreters, of another daemon."""
    config = SandboxConfig(
        egress=False, first_uid=2_720_000, max_environments=16, subnet="100.124.0.0/16"
    )
    async with _machine(tmp_path_factory.mktemp("other"), config) as machine:
        yield machine


@asynccontextmanager
async def _machine(directory: Path, config: SandboxConfig) -> AsyncIterator[Machine]:
    await asyncio.to_thread(directory.chmod, 0o755)
    catalogue = Catalogue(RuntimesConfig(), directory / "runtimes", variables=dict(os.environ))
    backend = backend_type("native")(config, directory / "state", SystemClock())
    await backend.open()
    yield Machine(backend, catalogue)
    await backend.close()
    await asyncio.to_thread(catalogue.close)


@pytest_asyncio.fixture(loop_scope="module")
async def host(
    machine: Machine, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Host]:
    host = await machine.host(getattr(request, "param", RUNTIME), tmp_path)
    yield host
    await host.close()


@pytest_asyncio.fixture(loop_scope="module")
async def other_host(other_machine: Machine, tmp_path: Path) -> AsyncIterator[Host]:
    host = await other_machine.host(RUNTIME, tmp_path)
    yield host
    await host.close()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """An empty directory for a function's code."""
    tmp_path.chmod(0o755)
    directory = tmp_path / "code"
    directory.mkdir()
    directory.chmod(0o755)
    return directory
