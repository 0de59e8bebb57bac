"""What the backends without control groups do about memory, and about their supervisor's end."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.sandbox.base import ExitStatus, Sandbox
from lambdad.sandbox.registry import backend
from lambdad.testing.sandbox_contract import (
    PYTHON,
    SMALL,
    SandboxContract,
    read_some,
    run,
    spawn,
)

_NO_BWRAP = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
backends = pytest.mark.parametrize(
    "name", ["process", pytest.param("bwrap", marks=_NO_BWRAP)], indirect=True
)
_HOLD = "b = b'x' * ({} << 20); print('up', flush=True); import signal; signal.pause()"


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def sandbox(name: str, tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = backend(name)(SandboxConfig(), tmp_path / "state", SystemClock())
    await made.open()
    yield await made.create(SandboxContract.spec("memory"))
    await made.close()


@backends
async def test_too_much_memory_is_noticed_and_ended(sandbox: Sandbox) -> None:
    process = await spawn(sandbox, PYTHON, "-I", "-S", "-c", _HOLD.format(300))
    assert await process.wait() == ExitStatus(signal=signal.SIGKILL, out_of_memory=True)
    os.close(process.output)
    assert await run(sandbox, "/bin/sh", "-c", "exit 3") == (ExitStatus(code=3), b"")


@backends
async def test_more_is_allowed_where_the_limit_says_so(sandbox: Sandbox) -> None:
    sandbox.set_limits(replace(SMALL, memory_mb=1024))
    process = await spawn(sandbox, PYTHON, "-I", "-S", "-c", _HOLD.format(300))
    assert await read_some(process.output) == b"up\n"
    assert 300 << 20 < sandbox.memory_peak_bytes() < 400 << 20
    # Lowered, it is too much at the next look.
    sandbox.set_limits(SMALL)
    assert (await process.wait()).out_of_memory
    os.close(process.output)


@backends
async def test_the_kernel_refuses_what_no_look_could_catch(sandbox: Sandbox) -> None:
    status, output = await run(sandbox, PYTHON, "-I", "-S", "-c", "bytearray(2 << 30)")
    assert status.code == 1
    assert b"MemoryError" in output


@backends
async def test_a_peak_between_two_looks_is_the_kernels_to_remember(sandbox: Sandbox) -> None:
    program = "b = b'x' * (90 << 20); del b; print('up', flush=True); import signal; signal.pause()"
    process = await spawn(sandbox, PYTHON, "-I", "-S", "-c", program)
    assert await read_some(process.output) == b"up\n"
    assert 90 << 20 < sandbox.memory_peak_bytes() < 128 << 20
    await sandbox.kill_processes()
    os.close(process.output)


@backends
async def test_all_processes_of_a_sandbox_count(sandbox: Sandbox) -> None:
    fork = f"import os; os.fork(); os.fork(); {_HOLD.format(50)}"
    process = await spawn(sandbox, PYTHON, "-I", "-S", "-c", fork)
    assert (await process.wait()).out_of_memory
    os.close(process.output)


_SUPERVISOR = """
import asyncio, os, sys
from pathlib import Path
from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.sandbox.registry import backend
from lambdad.testing.sandbox_contract import SandboxContract, descendants, read_some, spawn

async def main():
    made = backend(sys.argv[1])(SandboxConfig(), Path(sys.argv[2]), SystemClock())
    await made.open()
    sandbox = await made.create(SandboxContract.spec("orphan"))
    stubborn = "trap '' TERM HUP INT; echo up; sleep 1000; :"
    for script in ("setsid sleep 1000 & echo up; wait", stubborn):
        process = await spawn(sandbox, "/bin/sh", "-c", script)
        await read_some(process.output)
    if sys.argv[3] == "frozen":
        sandbox.freeze()
    print(*descendants(os.getpid()), flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


@backends
@pytest.mark.parametrize("state", ["running", "frozen"])
def test_no_process_outlives_a_killed_supervisor(name: str, state: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_SUPERVISOR), name, tmp_path / "state", state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(word) for word in supervisor.stdout.readline().split()]
        # The init, and two programs with two of their own.
        assert len(pids) >= 4
        pidfds = [os.pidfd_open(pid) for pid in pids]
        supervisor.kill()
    for pidfd in pidfds:
        readable, _, _ = select.select([pidfd], [], [], 10)
        assert readable, "a process is left"
        os.close(pidfd)
