"""What sandboxes stand on, made ahead: it is used, it is bounded, and it goes."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import Clock, SystemClock
from lambdad.domain.environments import Mount, ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import ExitStatus, SandboxBackend, SandboxSpec
from lambdad.sandbox.registry import backend as backend_type
from lambdad.testing.clock import FakeClock
from lambdad.testing.leaks import below, holdings
from lambdad.testing.sandbox_contract import read_all, run, shell, spawn

pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]

LIMITS = ResourceLimits(memory_mb=256, vcpus=None, ephemeral_storage_mb=512, processes=64)
WHO = "import os, socket; print(os.getuid(), socket.socket().connect_ex(('127.0.0.1', 9001)))"
# A daemon that has made some ahead, says so and waits to be killed.
DAEMON = """
import asyncio, sys
from pathlib import Path
from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.domain.environments import ResourceLimits
from lambdad.sandbox.base import SandboxSpec
from lambdad.sandbox.registry import backend

async def main():
    it = backend("native")(SandboxConfig(prepared=3), Path(sys.argv[1]), SystemClock())
    await it.open()
    limits = ResourceLimits(memory_mb=128, vcpus=None, ephemeral_storage_mb=512)
    await it.create(
        SandboxSpec(environment_id="one", mounts=(), limits=limits, ports=(9001,), egress=True)
    )
    while it.prepared < 3:
        await asyncio.sleep(0.01)
    print("up", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def spec(name: str, *mounts: Mount, early: bool = False) -> SandboxSpec:
    return SandboxSpec(
        environment_id=name, mounts=mounts, limits=LIMITS, ports=(9001,), egress=True, early=early
    )


def make_backend(
    data_dir: Path, prepared: int, environments: int = 100, clock: Clock | None = None
) -> SandboxBackend:
    # Numbers of their own: other tests' daemons run at the same time.
    config = SandboxConfig(
        prepared=prepared,
        max_environments=environments,
        first_uid=2_740_000,
        subnet="100.121.0.0/16",
    )
    place = data_dir / "sandbox" / "native"
    return backend_type("native")(config, place, clock or SystemClock())


async def until_prepared(backend: SandboxBackend, number: int) -> None:
    async with asyncio.timeout(60):
        while backend.prepared < number:  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[SandboxBackend]:
    backend = make_backend(tmp_path, 4)
    await backend.open()
    yield backend
    await backend.close()
    assert holdings(tmp_path) == holdings(tmp_path / "nothing")


async def test_what_is_made_ahead_is_used_once_and_replaced(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    sandboxes = [await backend.create(spec("first"))]
    await until_prepared(backend, 4)
    ready = {group for group in holdings(tmp_path).cgroups if "/ready-" in group}
    for number in range(6):
        sandboxes.append(await backend.create(spec(f"n{number}")))
        await until_prepared(backend, 4)
    used = {Path(group) for group in ready if (Path(group) / "cgroup.procs").read_text()}
    assert {Path(group) for group in ready} == used, "all that were there have a sandbox on them"
    seen = set()
    for sandbox in sandboxes:
        program = await spawn(sandbox, "/usr/bin/python3", "-I", "-S", "-c", WHO)
        # It listens in this sandbox: nobody else can be reached there.
        listener = sandbox.listeners[9001].socket
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        connection.close()
        assert await program.wait() == ExitStatus(code=0)
        uid, reached = (await read_all(program.output)).split()
        assert reached == b"0"
        seen.add(uid)
    assert len(seen) == len(sandboxes), "each has a user of its own"
    for sandbox in sandboxes:
        sandbox.listeners[9001].socket.close()
        await sandbox.destroy()
    assert len(holdings(tmp_path).links) <= 4
    assert len(holdings(tmp_path).loops) <= 4


async def test_the_limits_are_those_of_the_sandbox(backend: SandboxBackend) -> None:
    await (await backend.create(spec("first"))).destroy()
    await until_prepared(backend, 1)
    sandbox = await backend.create(spec("limited"))
    hog = "b = b'x' * ({} << 20)"
    command = ("/usr/bin/python3", "-I", "-S", "-c")
    assert await run(sandbox, *command, hog.format(160)) == (ExitStatus(code=0), b"")
    status, _ = await run(sandbox, *command, hog.format(400))
    assert status == ExitStatus(signal=signal.SIGKILL, out_of_memory=True)
    _, output = await shell(sandbox, "df -m /tmp | tail -1")
    assert 500 <= int(output.split()[3]) <= 530
    await sandbox.destroy()


async def test_early_sandbox_answers_when_it_stands(backend: SandboxBackend) -> None:
    for name in ("not-ahead", "ahead"):
        sandbox = await backend.create(spec(name, early=True))
        assert await shell(sandbox, "echo alive") == (ExitStatus(code=0), b"alive\n")
        await sandbox.destroy()
        await until_prepared(backend, 1)


async def test_early_sandbox_says_when_it_stood_and_not_when_it_was_asked_for(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    backend = make_backend(tmp_path, 0, clock=clock)
    # Others of this process may be on their way out.
    before = set(below(os.getpid()))
    await backend.open()
    # What makes the process that is to be in it does not get on with it.
    (pid,) = set(below(os.getpid())) - before
    launcher = os.pidfd_open(pid)
    signal.pidfd_send_signal(launcher, signal.SIGSTOP)
    sandbox = await backend.create(spec("late", early=True))
    starting = asyncio.create_task(shell(sandbox, "echo alive"))
    await asyncio.sleep(0)
    assert sandbox.stood == math.inf
    clock.advance(5)
    signal.pidfd_send_signal(launcher, signal.SIGCONT)
    os.close(launcher)
    assert await starting == (ExitStatus(code=0), b"alive\n")
    assert sandbox.stood == 5
    await sandbox.destroy()
    await backend.close()


async def test_early_sandbox_that_cannot_stand_says_why_when_it_is_used(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    nowhere = Mount(source=tmp_path, target="/usr/new")
    sandbox = await backend.create(spec("lost", nowhere, early=True))
    with pytest.raises(HostUnfit, match="/usr/new"):
        await spawn(sandbox, "/bin/true")
    with pytest.raises(HostUnfit):
        await spawn(sandbox, "/bin/true")
    await sandbox.destroy()


async def test_early_sandbox_may_be_destroyed_before_it_stands(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    for number in range(5):
        sandbox = await backend.create(spec(f"hasty{number}", early=True))
        await sandbox.destroy()
    assert not holdings(tmp_path).processes


async def test_what_is_kept_makes_way_when_all_numbers_are_taken(tmp_path: Path) -> None:
    backend = make_backend(tmp_path, 4, environments=5)
    await backend.open()
    await (await backend.create(spec("first"))).destroy()
    await until_prepared(backend, 4)
    other = replace(LIMITS, ephemeral_storage_mb=16)
    sandboxes = [await backend.create(replace(spec(f"n{n}"), limits=other)) for n in range(3)]
    sandboxes += [await backend.create(spec(f"m{n}")) for n in range(2)]
    with pytest.raises(HostUnfit, match="5 environments"):
        await backend.create(spec("too-many"))
    await asyncio.gather(*(sandbox.destroy() for sandbox in sandboxes))
    await backend.close()
    assert holdings(tmp_path) == holdings(tmp_path / "nothing")


def test_killed_daemon_leaves_groups_alone_and_its_successor_sweeps_them(tmp_path: Path) -> None:
    place = tmp_path / "sandbox" / "native"
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON, str(place)], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == b"up\n"
    held = holdings(tmp_path)
    assert len(held.links) == len(held.loops) == 4
    daemon.kill()
    daemon.communicate()

    async def succeed() -> None:
        successor = make_backend(tmp_path, 0)
        await successor.open()
        assert not [group for group in holdings(tmp_path).cgroups if "/ready-" in group]
        await successor.close()

    asyncio.run(succeed())
    assert holdings(tmp_path) == holdings(tmp_path / "nothing")


async def test_setting_zero_keeps_none(tmp_path: Path) -> None:
    backend = make_backend(tmp_path, 0)
    await backend.open()
    await (await backend.create(spec("first"))).destroy()
    assert not holdings(tmp_path).loops
    await backend.close()
