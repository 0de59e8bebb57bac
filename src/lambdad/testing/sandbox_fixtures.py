"""What the tests of the sandbox contract share: promises by name, and sandboxes to test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from lambdad.domain.environments import Mount, ResourceLimits
from lambdad.sandbox.base import (
    Sandbox,
    SandboxBackend,
    SandboxSpec,
)

SMALL = ResourceLimits(memory_mb=128, vcpus=None, ephemeral_storage_mb=16, processes=64)
TIMEOUT_S = 60

READ_ONLY_MOUNTS = "mounts are read-only"
PRIVATE_TMP = "each sandbox has its own ephemeral storage"
CAPPED_TMP = "ephemeral storage is capped"
PRIVATE_NETWORK = "each sandbox has its own loopback"
HIDDEN_HOST = "the host's files and processes are hidden"
MEMORY_LIMIT = "memory is limited"
PROCESS_LIMIT = "processes are limited"
FREEZE = "frozen processes stop"
SURVIVING_KILL = "nothing escapes kill_processes, daemons neither"
NO_DESCRIPTORS = "only standard streams and telemetry are open"


@pytest.mark.timeout(TIMEOUT_S)
class SandboxFixtures:
    """Fixtures for one backend."""

    unsupported: ClassVar[frozenset[str]] = frozenset()

    def make_backend(self, state_dir: Path) -> SandboxBackend:
        """Return a backend that is not open."""
        raise NotImplementedError

    @pytest.fixture
    async def backend(self, tmp_path: Path) -> AsyncIterator[SandboxBackend]:
        """An open backend."""
        backend = self.make_backend(tmp_path / "state")
        await backend.open()
        yield backend
        await backend.close()

    @pytest.fixture
    def code(self, tmp_path: Path) -> Path:
        """A directory with a file, and a directory with another."""
        code = tmp_path / "code"
        (code / "inner").mkdir(parents=True)
        (code / "file").write_text("code")
        # Only the mount may protect it.
        (code / "file").chmod(0o666)
        (code / "inner" / "file").write_text("hidden by a mount")
        for path in (tmp_path, code / "inner"):
            path.chmod(0o755)
        code.chmod(0o777)
        return code

    @pytest.fixture
    async def sandbox(self, backend: SandboxBackend, code: Path) -> AsyncIterator[Sandbox]:
        """A sandbox with `code` at `/var/task` and one port."""
        sandbox = await backend.create(self.spec("one", code, ports=(9001,)))
        yield sandbox
        await self.dispose(sandbox)

    @staticmethod
    def spec(
        environment_id: str,
        code: Path | None = None,
        *,
        ports: Sequence[int] = (),
        limits: ResourceLimits = SMALL,
    ) -> SandboxSpec:
        """Describe a small sandbox without egress."""
        mounts = () if code is None else (Mount(source=code, target="/var/task"),)
        return SandboxSpec(
            environment_id=environment_id, mounts=mounts, limits=limits, ports=ports, egress=False
        )

    @staticmethod
    async def dispose(sandbox: Sandbox) -> None:
        """End a sandbox as its user should."""
        for listener in sandbox.listeners.values():
            listener.socket.close()
        await sandbox.destroy()

    def needs(self, *promises: str) -> None:
        """Skip the test when the backend does not make a promise."""
        missing = [promise for promise in promises if promise in self.unsupported]
        if missing:
            pytest.skip(f"not promised by this backend: {', '.join(missing)}")
