"""The native backend on this host: the contract, and what only it promises."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import uvloop

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import ExitStatus, GuardState, Sandbox, SandboxBackend
from lambdad.sandbox.cgroups import Hierarchies
from lambdad.sandbox.firewall import instance_of, interface_prefix
from lambdad.sandbox.registry import GROUP
from lambdad.sandbox.registry import backend as backend_type
from lambdad.testing.sandbox_contract import (
    MEMORY_LIMIT,
    SandboxContract,
    descendants,
    read_all,
    run,
    shell,
    spawn,
)

pytestmark = pytest.mark.root

GONE_S = 30.0

# A daemon that makes two sandboxes, freezes one, says so and waits to be killed.
DAEMON = """
import asyncio, sys
from pathlib import Path
from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.sandbox.registry import backend
from lambdad.testing.sandbox_contract import SandboxContract, read_some, spawn

async def main():
    it = backend("native")(SandboxConfig(egress=False), Path(sys.argv[1]), SystemClock())
    await it.open()
    for name in ("running", "frozen"):
        sandbox = await it.create(SandboxContract.spec(name, ports=(9001,)))
        script = "setsid sleep 1000 & echo up; while :; do :; done"
        await read_some((await spawn(sandbox, "/bin/sh", "-c", script)).output)
    sandbox.freeze()
    print("up", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass(frozen=True)
class Init:
    """A PID 1, as the host sees it: what it executes, whose `/proc` it is, its memory."""

    program: str
    owners: set[int]
    resident_kb: int


def init(pid: int) -> Init | None:
    place = Path("/proc", str(pid))
    if (place / "comm").read_text() != "init\n":
        return None
    status = (place / "status").read_text()
    (resident,) = [line.split()[1] for line in status.splitlines() if "VmRSS" in line]
    owners = {(place / name).stat().st_uid for name in ("mem", "fd", "environ")}
    return Init(str((place / "exe").readlink()), owners, int(resident))


def groups(state_dir: Path) -> list[Path]:
    """Return the control groups of the daemon of a directory, but not its processes' limits."""
    return [
        group
        for base in Path("/sys/fs/cgroup").glob(f"*/lambdad/{instance_of(state_dir)}")
        for group in (base, *base.glob("*"))
        if group.is_dir()
    ]


def devices(state_dir: Path) -> list[str]:
    prefix = interface_prefix(instance_of(state_dir))
    return [name for _, name in socket.if_nameindex() if name.startswith(prefix)]


class TestNative(SandboxContract):
    def make_backend(self, state_dir: Path) -> SandboxBackend:
        return backend_type("native")(SandboxConfig(egress=False), state_dir, SystemClock())

    async def test_groups_go_with_sandbox_and_backend(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        before = groups(tmp_path / "state")
        sandbox = await backend.create(self.spec("grouped"))
        assert len(groups(tmp_path / "state")) > len(before)
        await sandbox.destroy()
        assert groups(tmp_path / "state") == before
        await backend.close()
        assert groups(tmp_path / "state") == []

    async def test_two_daemons_in_one_directory_are_refused(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        with pytest.raises(HostUnfit, match="Another lambdad"):
            await self.make_backend(tmp_path / "state").open()
        sandbox = await backend.create(self.spec("unharmed"))
        await sandbox.destroy()

    async def test_second_sandbox_of_a_name_is_refused_and_the_first_unharmed(
        self, backend: SandboxBackend, sandbox: Sandbox
    ) -> None:
        with pytest.raises(HostUnfit, match="File exists"):
            await backend.create(self.spec("one"))
        assert await shell(sandbox, "echo alive") == (ExitStatus(code=0), b"alive\n")

    @pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A", "x" * 65])
    async def test_names_that_are_no_names_are_refused(
        self, backend: SandboxBackend, name: str
    ) -> None:
        with pytest.raises(ValueError, match="environment id"):
            await backend.create(self.spec(name))

    async def test_mount_point_is_made_in_an_empty_directory_of_the_skeleton(
        self, backend: SandboxBackend, code: Path
    ) -> None:
        mounts = (
            Mount(source=code, target="/mnt/efs"),
            Mount(source=code / "file", target="/var/runtime/bootstrap"),
        )
        sandbox = await backend.create(replace(self.spec("deep"), mounts=mounts))
        status, output = await shell(
            sandbox, "cat /mnt/efs/file /var/runtime/bootstrap; touch /mnt/x /var/runtime/x"
        )
        await sandbox.destroy()
        assert output.startswith(b"codecode")
        assert output.count(b"Read-only file system") == 2
        assert status.code != 0

    @pytest.mark.parametrize("target", ["/var/task/absent", "/var/new", "/new", "/usr/new"])
    async def test_mount_point_that_cannot_be_made_is_refused(
        self, backend: SandboxBackend, code: Path, target: str
    ) -> None:
        mounts = (Mount(source=code, target="/var/task"), Mount(source=code, target=target))
        with pytest.raises(HostUnfit, match=target):
            await backend.create(replace(self.spec("deep"), mounts=mounts))

    async def test_every_environment_has_a_user_of_its_own(self, backend: SandboxBackend) -> None:
        sandboxes = [await backend.create(self.spec(f"user{n}")) for n in range(3)]
        who = (
            "import os, pwd; print(os.getuid(), pwd.getpwuid(os.getuid()).pw_name, os.getgroups())"
        )
        outputs = [await run(it, "/usr/bin/python3", "-I", "-S", "-c", who) for it in sandboxes]
        fields = [output.split() for _, output in outputs]
        assert len({uid for uid, _, _ in fields}) == 3
        assert {(name, rest) for _, name, rest in fields} == {(b"sbx_user1051", b"[]")}

    async def test_pid_one_is_out_of_reach(self, sandbox: Sandbox) -> None:
        """SECURITY: it holds the socket to the daemon."""
        attempts = "kill -9 1; kill -STOP 1; cat /proc/1/mem; cat /proc/1/environ; ls /proc/1/fd/"
        status, output = await shell(sandbox, attempts)
        assert status.code != 0
        assert output.count(b"Permission denied") == 3
        _, output = await shell(sandbox, "tr '\\0' ' ' < /proc/1/cmdline")
        assert output.strip() == b"init"
        assert await shell(sandbox, "echo alive") == (ExitStatus(code=0), b"alive\n")

    async def test_pid_one_becomes_a_program_of_a_few_pages(
        self, bystanders: set[int], sandbox: Sandbox
    ) -> None:
        """SECURITY: the kernel keeps it closed, because its user cannot read it."""
        await shell(sandbox, "true")
        (one,) = [it for pid in descendants(os.getpid()) - bystanders if (it := init(pid))]
        assert one.program.startswith("/memfd:init")
        assert one.owners == {0}
        assert one.resident_kb < 100

    async def test_no_power_is_left(self, sandbox: Sandbox) -> None:
        _, output = await shell(sandbox, "cat /proc/self/status")
        status = dict(
            line.split(":\t", 1) for line in output.decode().splitlines() if ":\t" in line
        )
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[name], 16) == 0
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        _, output = await shell(sandbox, "find / -xdev -writable ! -type l 2>/dev/null")
        assert output == b"/tmp\n"

    async def test_sandboxes_die_with_the_launcher_and_a_new_one_starts(
        self, bystanders: set[int], backend: SandboxBackend, sandbox: Sandbox
    ) -> None:
        process = await spawn(sandbox, "/bin/sleep", "1000")
        ours = descendants(os.getpid()) - bystanders
        (launcher,) = [pid for pid in ours if is_launcher(pid)]
        os.kill(launcher, signal.SIGKILL)
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        assert await read_all(process.output) == b""
        with pytest.raises(HostUnfit):
            await spawn(sandbox, "/bin/true")
        other = await backend.create(self.spec("after"))
        assert await shell(other, "echo alive") == (ExitStatus(code=0), b"alive\n")
        await other.destroy()

    @pytest.mark.slow
    async def test_killed_daemon_leaves_no_process_and_its_successor_sweeps(
        self, tmp_path: Path
    ) -> None:
        state_dir = tmp_path / "state"
        daemon = start_daemon(state_dir)
        processes = {pid: os.pidfd_open(pid) for pid in descendants(daemon.pid)}
        # Launcher, and per sandbox: init, shell, sleep.
        assert len(processes) == 7
        daemon.kill()
        daemon.communicate()
        for pidfd in processes.values():
            await readable(pidfd)
            os.close(pidfd)
        assert groups(state_dir) != []
        successor = self.make_backend(state_dir)
        await successor.open()
        assert not [group for group in groups(state_dir) if group.name in ("running", "frozen")]
        await successor.close()
        assert groups(state_dir) == []

    def test_server_may_run_on_uvloop(self, tmp_path: Path) -> None:
        async def main() -> tuple[ExitStatus, bytes]:
            backend = self.make_backend(tmp_path / "state")
            await backend.open()
            sandbox = await backend.create(self.spec("uv", ports=(9001,)))
            result = await shell(sandbox, "echo alive")
            await self.dispose(sandbox)
            await backend.close()
            return result

        assert uvloop.run(main()) == (ExitStatus(code=0), b"alive\n")

    @pytest.mark.slow
    async def test_two_hundred_at_once(self, backend: SandboxBackend, code: Path) -> None:
        creations = [self.spec(f"n{n}", code, ports=(9001,)) for n in range(200)]
        sandboxes = await asyncio.gather(*(backend.create(spec) for spec in creations))
        results = await asyncio.gather(*(shell(it, "cat /var/task/file") for it in sandboxes))
        assert results == [(ExitStatus(code=0), b"code")] * 200
        await asyncio.gather(*(self.dispose(it) for it in sandboxes))

    async def test_guards_name_a_remedy_where_they_are_not_active(
        self, backend: SandboxBackend
    ) -> None:
        guards = {guard.name: guard for guard in backend.guards()}
        assert guards["seccomp"].state is GuardState.ACTIVE
        assert guards["egress filter"].state is GuardState.ABSENT
        assert all(guard.remedy for guard in guards.values() if guard.state != GuardState.ACTIVE)


class _OnOtherHierarchies(SandboxContract):
    """The contract on a host that has less than this one."""

    @staticmethod
    def hierarchies() -> Hierarchies:
        raise NotImplementedError

    def make_backend(self, state_dir: Path) -> SandboxBackend:
        config = SandboxConfig(egress=False)
        native = entry_points(group=GROUP)["native"].load()
        backend: SandboxBackend = native(
            config, state_dir, SystemClock(), hierarchies=self.hierarchies()
        )
        return backend


@pytest.mark.slow
class TestNativeOnCgroupV1Alone(_OnOtherHierarchies):
    @staticmethod
    def hierarchies() -> Hierarchies:
        here = Hierarchies.of_this_process()
        if "freezer" not in here.v1:
            pytest.skip("this host has no cgroup v1 freezer")
        return Hierarchies(here.v1, None, frozenset())


@pytest.mark.slow
class TestNativeOnCgroupV2WithoutControllers(_OnOtherHierarchies):
    unsupported = frozenset({MEMORY_LIMIT})

    @staticmethod
    def hierarchies() -> Hierarchies:
        here = Hierarchies.of_this_process()
        if here.v2 is None:
            pytest.skip("this host has no cgroup v2 tree")
        return Hierarchies({}, here.v2, frozenset())


@pytest.mark.parametrize("freezer", ["v1", "v2"])
async def test_a_sandbox_that_is_given_up_is_not_frozen_before_it_has_died(
    tmp_path: Path, freezer: str
) -> None:
    """Its environment may not know of it yet. v1 keeps what is frozen alive, killed or not."""
    here = Hierarchies.of_this_process()
    if (freezer == "v1" and "freezer" not in here.v1) or (freezer == "v2" and here.v2 is None):
        pytest.skip(f"this host has no cgroup {freezer} freezer")
    if freezer == "v1":
        here = Hierarchies(here.v1, None, frozenset())
    native = entry_points(group=GROUP)["native"].load()
    config = SandboxConfig(egress=False)
    backend = native(config, tmp_path / "state", SystemClock(), hierarchies=here)
    await backend.open()
    try:
        sandbox = await backend.create(SandboxContract.spec("given-up"))
        process = await spawn(sandbox, "/bin/sleep", "1000")
        for pid in sandbox.holdings.cgroup.pids():
            # It reads nothing from here on, until its socket takes no more.
            os.kill(pid, signal.SIGSTOP)
        while not sandbox._init.lost:
            process.signal(signal.SIGCONT)
        sandbox.freeze()
        async with asyncio.timeout(GONE_S):
            await sandbox.destroy()
    finally:
        await backend.close()


class TestNativeWithEgress:
    async def test_wire_is_laid_and_goes_with_the_sandbox(self, tmp_path: Path) -> None:
        backend = backend_type("native")(SandboxConfig(), tmp_path / "state", SystemClock())
        await backend.open()
        try:
            guards = {guard.name: guard for guard in backend.guards()}
            if guards["egress filter"].state is not GuardState.ACTIVE:
                pytest.skip(guards["egress filter"].detail)
            spec = replace(SandboxContract.spec("wired", ports=(9001,)), egress=True)
            sandbox = await backend.create(spec)
            assert len(devices(tmp_path / "state")) == 1
            route = "import socket; s = socket.socket(2, 2); s.connect(('192.0.2.1', 9)); "
            route += "print(s.getsockname()[0])"
            _, output = await run(sandbox, "/usr/bin/python3", "-I", "-S", "-c", route)
            assert output.startswith(b"100.96.")
            sandbox.listeners[9001].socket.close()
            await sandbox.destroy()
            assert devices(tmp_path / "state") == []
        finally:
            await backend.close()


def start_daemon(state_dir: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", DAEMON, str(state_dir)]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == b"up\n"
    return daemon


def is_launcher(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"lambdad-launcher")


async def readable(fd: int) -> None:
    """Wait until a pidfd says that its process has ended."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, ended.set)
    async with asyncio.timeout(10):
        await ended.wait()
    loop.remove_reader(fd)
