"""PID 1 of a sandbox never is a Python, or is one where somebody has to look: both are alike."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.domain.environments import Mount, Zygote
from lambdad.sandbox import small_init
from lambdad.sandbox.backends.native import NativeBackend
from lambdad.sandbox.base import ExitStatus, ProcessSpec, Sandbox
from lambdad.sandbox.steps import FirstProcess, Steps
from lambdad.testing.guest_programs import read_all
from lambdad.testing.sandbox_fixtures import SandboxFixtures

pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]

BINARY = f"/var/lang/bin/python3.{sys.version_info.minor}"
SCRIPT = "/var/runtime/program.py"
# No such directory is in the root that all share: to make it, somebody has to look and decide.
ODD_PLACE = "/mnt/deep/down"
PROGRAM = """
import os, socket
# A Python PID 1 has begun this program before it becomes the small one, which blocks SIGCHLD.
while "SigBlk:\\t0000000000010000" not in open("/proc/1/status").read():
    pass
print(os.getpid(), os.getppid(), socket.gethostname(), os.getcwd())
for name in ("status", "limits", "cgroup", "mountinfo", "oom_score_adj"):
    print(open("/proc/self/" + name).read())
for name in sorted(os.listdir("/proc/self/fd"), key=int)[:-1]:
    print(name, os.readlink("/proc/self/fd/" + name).rstrip("0123456789[]"))
for name in ("cgroup", "ipc", "mnt", "net", "pid", "uts"):
    print(os.readlink("/proc/self/ns/" + name).startswith(name))
print(open("/proc/1/status").read())
print(open("/proc/1/limits").read(), open("/proc/1/comm").read(), open("/proc/1/cmdline").read())
try:
    os.listdir("/proc/1/fd")
except PermissionError:
    print("closed")
"""
# What differs from one process to the next.
_CHANGING = (
    "State:",
    "Vm",
    "Rss",
    "Hugetlb",
    "voluntary",
    "nonvoluntary",
    "Cpus",
    "Mems",
    "Stime",
    "Utime",
)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[NativeBackend]:
    backend = NativeBackend(
        SandboxConfig(egress=False, first_uid=2_600_000), tmp_path / "state", SystemClock()
    )
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
def zygote(tmp_path: Path) -> Zygote:
    tmp_path.chmod(0o755)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (runtime / "program.py").write_text("import os\nexec(os.environ['DO'])\n")
    return Zygote(
        argv=(BINARY, "-S"),
        script=SCRIPT,
        modules=("socket",),
        mounts=(
            Mount(source=runtime, target="/var/runtime"),
            Mount(source=Path(sys.base_prefix), target="/var/lang"),
        ),
        environment=(("LANG", "C.UTF-8"),),
    )


async def make(
    backend: NativeBackend, zygote: Zygote, name: str, *, forked: bool = True, odd: bool = False
) -> Sandbox:
    mounts = zygote.mounts
    if odd:
        mounts = (*mounts, Mount(source=zygote.mounts[0].source, target=ODD_PLACE))
    if forked:
        await backend.prepare(zygote)
    spec = replace(SandboxFixtures.spec(name), mounts=mounts)
    return await backend.create(replace(spec, zygote=zygote if forked else None))


async def run(sandbox: Sandbox, do: str = PROGRAM, *, forked: bool = True) -> str:
    process = await sandbox.spawn(
        ProcessSpec(
            argv=(BINARY, "-S", SCRIPT), environment={"DO": do}, cwd="/var/task", forked=forked
        )
    )
    output = (await read_all(process.output)).decode()
    assert await process.wait() == ExitStatus(code=0), output
    return output


def comparable(output: str) -> list[str]:
    """Drop what is another sandbox's own: numbers of its user, group, devices and mounts."""
    kept = []
    for line in output.splitlines():
        if line.startswith(_CHANGING) or " /mnt" in line:
            continue
        if mounted := re.match(r"\d+ \d+ \S+ (\S+ \S+ .*)", line):
            # Where it comes from differs for /tmp: a loop device each.
            line = re.sub(r"/dev/loop\d+|master:\d+|shared:\d+", "", mounted[1])  # noqa: PLW2901
        kept.append(re.sub(r"26\d{5}", "uid", line))
    return kept


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "executed"])
async def test_both_ways_make_the_same_sandbox(
    backend: NativeBackend, zygote: Zygote, *, forked: bool
) -> None:
    """SECURITY: what a function finds does not depend on how its sandbox was made."""
    one = await make(backend, zygote, "same", forked=forked)
    plain = comparable(await run(one, forked=forked))
    await one.destroy()
    two = await make(backend, zygote, "same", forked=forked, odd=True)
    looked = comparable(await run(two, forked=forked))
    await two.destroy()
    assert plain == looked
    assert "closed" in plain
    assert "1000" in plain
    assert any(line.startswith("2 1 sandbox /var/task") for line in plain)


async def test_programs_before_the_runtime_leave_its_place_to_it(
    backend: NativeBackend, zygote: Zygote
) -> None:
    """Extensions come first, and the runtime is forked all the same."""
    sandbox = await make(backend, zygote, "seat")
    assert (await run(sandbox, "print(os.getpid())", forked=False)).strip() == "3"
    assert (await run(sandbox, "print(os.getpid())")).strip() == "2"
    assert int(await run(sandbox, "print(os.getpid())")) > 3
    await sandbox.destroy()


async def test_the_process_that_waits_is_killed_like_any_other(
    backend: NativeBackend, zygote: Zygote
) -> None:
    """What would have become the runtime is gone; the runtime is executed instead."""
    sandbox = await make(backend, zygote, "killed")
    await sandbox.kill_processes()
    assert int(await run(sandbox, "print(os.getpid())")) > 2
    await sandbox.destroy()


def test_a_step_that_fails_says_what_it_was_for() -> None:
    program = small_init.program()
    assert program is not None
    first = FirstProcess(program)
    for follow in (Steps.follow, first.begin):
        steps = Steps()
        steps.add("look for nothing", "chdir", b"/does/not/exist", tolerated=2)
        steps.add("go there", "chdir", b"/does/not/exist")
        with pytest.raises(OSError, match="cannot go there: No such file") as failed:
            follow(steps)
        assert failed.value.errno == 2
    os.close(program)


def test_steps_use_the_results_of_earlier_ones(tmp_path: Path) -> None:
    program = small_init.program()
    assert program is not None
    first = FirstProcess(program)
    for follow in (Steps.follow, first.begin):
        path = os.fsencode(tmp_path / follow.__qualname__)
        steps = Steps()
        fd = steps.add("open", "openat", -100, path, os.O_CREAT | os.O_WRONLY, 0o600)
        steps.add("write", "write", fd, b"text", 4)
        steps.add("close", "close", fd)
        steps.add("end", "close", 1_000_000)
        with pytest.raises(OSError, match="cannot end"):
            follow(steps)
        assert Path(os.fsdecode(path)).read_text() == "text"
    os.close(program)
