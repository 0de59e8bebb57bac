"""What is made ahead is for one sandbox: it gets nothing of another, and no limits of another."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.domain.environments import ResourceLimits
from lambdad.sandbox.backends.native import NativeBackend
from lambdad.sandbox.base import ExitStatus, Sandbox, SandboxSpec
from lambdad.sandbox.cgroups import Hierarchies
from lambdad.sandbox.native_sandbox import NativeSandbox
from lambdad.testing.leaks import holdings
from lambdad.testing.sandbox_contract import PYTHON, drain, read_some, run, shell, spawn

pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]

LARGE = ResourceLimits(memory_mb=512, vcpus=1.0, ephemeral_storage_mb=512, processes=200)
SMALL = replace(LARGE, memory_mb=128, vcpus=0.5, processes=20)
# Numbers that nobody else on this host counts: there are so few that they come round at once.
FIRST_UID, SUBNETS = 1_900_000, ("100.123.0.0/16", "100.124.0.0/16", "100.125.0.0/16")
WHERE = """
import os
print(os.getuid(), os.readlink('/proc/self/ns/net'), os.stat('/tmp').st_dev)
"""
FORKS = """
import os, signal
children = []
try:
    while len(children) < 100:
        if (child := os.fork()) == 0:
            signal.pause()
        children.append(child)
except OSError:
    pass
for child in children:
    os.kill(child, signal.SIGKILL)
print(len(children))
"""


@asynccontextmanager
async def opened(
    data_dir: Path,
    number: int,
    *,
    prepared: int,
    environments: int,
    hierarchies: Hierarchies | None = None,
) -> AsyncIterator[NativeBackend]:
    """A backend that leaves nothing."""
    config = SandboxConfig(
        prepared=prepared,
        max_environments=environments,
        first_uid=FIRST_UID + 100 * number,
        subnet=SUBNETS[number],
    )
    place = data_dir / "sandbox" / "native"
    backend = NativeBackend(config, place, SystemClock(), hierarchies=hierarchies)
    await backend.open()
    try:
        yield backend
    finally:
        await backend.close()
    assert holdings(data_dir) == holdings(data_dir / "nothing")


def spec(name: str, limits: ResourceLimits = LARGE) -> SandboxSpec:
    return SandboxSpec(environment_id=name, mounts=(), limits=limits, ports=(9001,), egress=True)


async def until_prepared(backend: NativeBackend, number: int) -> None:
    async with asyncio.timeout(60):
        while backend.prepared < number:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def python(sandbox: Sandbox, program: str) -> str:
    status, output = await run(sandbox, PYTHON, "-I", "-S", "-c", program)
    assert status == ExitStatus(code=0), output
    return output.decode()


async def end(sandbox: Sandbox) -> None:
    for listener in sandbox.listeners.values():
        listener.socket.close()
    await sandbox.destroy()


def namespaces_held() -> set[str]:
    """Network namespaces that this process has a descriptor of, beside its own."""
    held = {
        str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()
    }
    own = str(Path("/proc/self/ns/net").readlink())
    return {link for link in held if link.startswith("net:")} - {own}


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[NativeBackend]:
    """A backend with two numbers, of which one is made ready while the other is in use."""
    async with opened(tmp_path, 0, prepared=1, environments=2) as backend:
        yield backend


async def test_who_gets_the_number_of_another_gets_nothing_else_of_it(
    two: NativeBackend, tmp_path: Path
) -> None:
    first = await two.create(spec("first"))
    uid = first.holdings.uid
    await until_prepared(two, 1)
    await shell(first, "echo secret > /tmp/left; ipcmk -M 4096 > /dev/null 2>&1")
    hog = await spawn(first, PYTHON, "-I", "-S", "-c", "b = b'x' * (300 << 20); print(len(b))")
    assert await read_some(hog.output)
    assert await hog.wait() == ExitStatus(code=0)
    os.close(hog.output)
    assert first.memory_peak_bytes() > 250 << 20
    await end(first)
    # The number that was ready; while it is in use the first comes round.
    second = await two.create(spec("second"))
    assert second.holdings.uid != uid
    await until_prepared(two, 1)
    third = await two.create(spec("third", SMALL))
    assert third.holdings.uid == uid
    assert "/ready-" in str(groups_of(third, tmp_path)), "it was made ahead"
    assert await shell(third, "ls -A /tmp; cat /proc/sysvipc/shm | tail -n +2") == (
        ExitStatus(code=0),
        b"",
    )
    assert third.memory_peak_bytes() < 64 << 20
    # Its own limits, not those of who had the number, nor those that it was made ready with.
    assert 0 < int(await python(third, FORKS)) < SMALL.processes
    status, _ = await run(third, PYTHON, "-I", "-S", "-c", "b = b'x' * (200 << 20)")
    assert status == ExitStatus(signal=signal.SIGKILL, out_of_memory=True)
    await end(third)
    await end(second)


def groups_of(sandbox: NativeSandbox, data_dir: Path) -> set[Path]:
    """Control groups that its processes are in, which have a user of their own."""
    return {
        Path(group)
        for group in holdings(data_dir).cgroups
        for pid in Path(group, "cgroup.procs").read_text().split()
        if f"Uid:\t{sandbox.holdings.uid}\t" in Path("/proc", pid, "status").read_text()
    }


async def test_those_of_the_same_time_share_nothing_and_the_daemon_lets_go(tmp_path: Path) -> None:
    async with opened(tmp_path, 1, prepared=3, environments=8) as backend:
        sandboxes = [await backend.create(spec("first"))]
        for number in range(3):
            await until_prepared(backend, 3)
            sandboxes.append(await backend.create(spec(f"n{number}", SMALL)))
        await until_prepared(backend, 3)
        where = [(await python(sandbox, WHERE)).split() for sandbox in sandboxes]
        assert [len(set(column)) for column in zip(*where, strict=True)] == [4, 4, 4]
        groups = [groups_of(sandbox, tmp_path) for sandbox in sandboxes]
        assert all(groups)
        assert sum(map(len, groups)) == len(set().union(*groups))
        # Of what is in use it could let nobody in any more.
        assert len(namespaces_held()) == 3
        assert not namespaces_held() & {namespace for _, namespace, _ in where}
        await asyncio.gather(*map(end, sandboxes))
    assert namespaces_held() == set()


async def test_one_tree_of_groups_without_controllers_serves_too(tmp_path: Path) -> None:
    here = Hierarchies.of_this_process()
    if here.v2 is None:
        pytest.skip("this host has no cgroup v2 tree")
    alone = Hierarchies({}, here.v2, frozenset())
    async with opened(tmp_path, 2, prepared=2, environments=8, hierarchies=alone) as backend:
        await end(await backend.create(spec("first")))
        await until_prepared(backend, 2)
        sandbox = await backend.create(spec("second"))
        (group,) = groups_of(sandbox, tmp_path)
        assert group.name.startswith("ready-")
        busy = await spawn(sandbox, "/bin/sh", "-c", "while :; do echo tick; done")
        await read_some(busy.output)
        sandbox.freeze()
        async with asyncio.timeout(30):
            while "frozen 1" not in (group / "cgroup.events").read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        drain(busy.output)
        assert drain(busy.output) == 0
        sandbox.thaw()
        assert await read_some(busy.output)
        await sandbox.kill_processes()
        assert await busy.wait() == ExitStatus(signal=signal.SIGKILL)
        os.close(busy.output)
        await end(sandbox)
