"""The process backend on this host."""

# ruff: noqa: S108 - the guest's /tmp

from __future__ import annotations

import os
from pathlib import Path

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.sandbox.base import GuardState, Sandbox, SandboxBackend
from lambdad.sandbox.registry import backend
from lambdad.testing.sandbox_contract import (
    CAPPED_TMP,
    HIDDEN_HOST,
    MEMORY_LIMIT,
    PRIVATE_NETWORK,
    PRIVATE_TMP,
    PROCESS_LIMIT,
    READ_ONLY_MOUNTS,
    SandboxContract,
    read_all,
    run,
    spawn,
)


class TestProcess(SandboxContract):
    unsupported = frozenset(
        {
            CAPPED_TMP,
            HIDDEN_HOST,
            MEMORY_LIMIT,
            PRIVATE_NETWORK,
            PRIVATE_TMP,
            PROCESS_LIMIT,
            READ_ONLY_MOUNTS,
        }
    )

    def make_backend(self, state_dir: Path) -> SandboxBackend:
        return backend("process")(SandboxConfig(), state_dir, SystemClock())

    async def test_environment_is_exactly_what_was_given(self, sandbox: Sandbox) -> None:
        """But for the variable that leads to the sandbox's own directory for `/tmp`."""
        given = {"A": "1", "EMPTY": "", "TEXT": "a=b c\nd", "UMLAUT": "ä"}
        _, output = await run(sandbox, "/usr/bin/env", "-0", environment=given)
        pairs = dict(entry.split("=", 1) for entry in output.decode().split("\0") if entry)
        assert pairs.pop("TMPDIR") == sandbox.guest_path("/tmp")
        assert pairs == given

    async def test_guest_paths_lead_to_the_hosts_files(self, sandbox: Sandbox, code: Path) -> None:
        variables = {"TASK": "/var/task/file", "PATH": "/opt/bin:/var/task:/usr/bin:/bin"}
        script = 'cat "$TASK"; echo; echo "$PATH"; pwd; echo kept > "$TMPDIR/file"; cat "$0"'
        _, output = await run(
            sandbox, "/bin/sh", "-c", script, "/tmp/file", environment=variables, cwd="/var/task"
        )
        assert output.decode().splitlines() == [
            "code",
            f"/opt/bin:{code}:/usr/bin:/bin",
            str(code),
            "kept",
        ]

    async def test_files_of_a_sandbox_are_removed_with_it(
        self, backend: SandboxBackend, code: Path
    ) -> None:
        sandbox = await backend.create(self.spec("files", code))
        tmp = Path(sandbox.guest_path("/tmp"))
        await run(sandbox, "/bin/sh", "-c", 'echo x > "$TMPDIR/file"')
        assert os.listdir(tmp) == ["file"]  # noqa: PTH208
        await sandbox.destroy()
        assert tmp.name not in os.listdir(tmp.parent)  # noqa: PTH208

    async def test_a_function_that_kills_its_keeper_leaves_nothing(
        self, backend: SandboxBackend, code: Path
    ) -> None:
        sandbox = await backend.create(self.spec("murder", code))
        wait = "while [ ! -e $TMPDIR/go ]; do :; done"
        script = f"(trap '' HUP; setsid sleep 1000) & {wait}; kill -9 $PPID; exec sleep 1000"
        process = await spawn(sandbox, "/bin/sh", "-c", script)
        Path(sandbox.guest_path("/tmp/go")).touch()  # noqa: ASYNC240
        await process.wait()
        await sandbox.destroy()
        # The end of the pipe: nobody holds it any more.
        assert await read_all(process.output) == b""

    async def test_nothing_that_is_absent_is_called_active(self, backend: SandboxBackend) -> None:
        guards = {guard.name: guard for guard in backend.guards()}
        assert GuardState.ACTIVE not in {guard.state for guard in guards.values()}
        assert guards["mount namespace"].state is GuardState.ABSENT
        assert all(guard.remedy for guard in guards.values())
