"""What every sandbox backend promises, as tests.

A backend's own test module subclasses :class:`SandboxContract`, says how a backend is made, and
lists in `unsupported` the promises that it does not make. The guest's programs are those of any
small distribution: a POSIX shell, coreutils, and `/usr/bin/python3` for what needs sockets.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from lambdad.domain.environments import Mount, ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import (
    ExitStatus,
    GuestProcess,
    ProcessSpec,
    Sandbox,
    SandboxBackend,
    SandboxSpec,
)

SMALL = ResourceLimits(memory_mb=128, vcpus=None, ephemeral_storage_mb=16, processes=64)
PYTHON = "/usr/bin/python3"
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

Spawn = Callable[..., "asyncio.Future[GuestProcess]"]


async def read_all(fd: int) -> bytes:
    """Read a non-blocking descriptor to its end and close it."""
    data = bytearray()
    try:
        while chunk := await read_some(fd):
            data += chunk
    finally:
        os.close(fd)
    return bytes(data)


async def read_some(fd: int) -> bytes:
    """Wait for the next bytes of a non-blocking descriptor; empty at its end."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return os.read(fd, 65536)
        except BlockingIOError:
            readable = asyncio.Event()
            loop.add_reader(fd, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(fd)


def drain(fd: int) -> int:
    """Read what is there; return how much it was."""
    count = 0
    while True:
        try:
            chunk = os.read(fd, 65536)
        except BlockingIOError:
            return count
        if not chunk:
            return count
        count += len(chunk)


async def spawn(
    sandbox: Sandbox,
    *argv: str,
    environment: Mapping[str, str] | None = None,
    cwd: str | None = None,
    telemetry: bool = False,
) -> GuestProcess:
    """Start a program with `PATH` and nothing else set."""
    return await sandbox.spawn(
        ProcessSpec(
            argv=argv,
            environment={"PATH": "/usr/bin:/bin"} if environment is None else environment,
            cwd=cwd or "/",
            telemetry=telemetry,
        )
    )


async def run(
    sandbox: Sandbox,
    *argv: str,
    environment: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> tuple[ExitStatus, bytes]:
    """Run a program to its end; return how it ended and what it wrote."""
    process = await spawn(sandbox, *argv, environment=environment, cwd=cwd)
    output = await read_all(process.output)
    return await process.wait(), output


async def shell(sandbox: Sandbox, script: str) -> tuple[ExitStatus, bytes]:
    """Run a shell script to its end."""
    return await run(sandbox, "/bin/sh", "-c", script)


def open_descriptors() -> set[str]:
    """Return what this process has open, by number and kind."""
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")  # noqa: PTH115
        except FileNotFoundError:
            continue
    return found


def descendants(pid: int) -> set[int]:
    """Return all processes below a process, by the host's numbers."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found |= {int(child), *descendants(int(child))}
    return found


def mounts_and_devices(directory: Path) -> set[str]:
    """Return the mounts of the host and the loop devices on files below a directory."""
    found = set(Path("/proc/self/mountinfo").read_text().splitlines())
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            name = backing.read_text().strip()
        except OSError:
            continue
        if name.startswith(str(directory)):
            found.add(f"{backing}: {name}")
    return found


@pytest.mark.timeout(TIMEOUT_S)
class SandboxContract:
    """Subclass it, define `make_backend`, and name what is `unsupported`."""

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

    # Programs

    async def test_output_is_stdout_and_stderr_in_order(self, sandbox: Sandbox) -> None:
        """The log of a function is both streams."""
        status, output = await shell(sandbox, "echo one; echo two >&2; echo three")
        assert status == ExitStatus(code=0)
        assert output == b"one\ntwo\nthree\n"

    @pytest.mark.parametrize("exit_code", [0, 1, 42, 255])
    async def test_exit_code_is_reported(self, sandbox: Sandbox, exit_code: int) -> None:
        """Runtime.ExitError tells the code."""
        status, _ = await shell(sandbox, f"exit {exit_code}")
        assert status == ExitStatus(code=exit_code)

    async def test_death_by_signal_is_reported(self, sandbox: Sandbox) -> None:
        """A crashed runtime is told from one that has exited."""
        status, _ = await shell(sandbox, "kill -SEGV $$")
        assert status == ExitStatus(signal=signal.SIGSEGV)

    async def test_signal_reaches_the_program(self, sandbox: Sandbox) -> None:
        """Shutdown begins with SIGTERM."""
        process = await spawn(
            sandbox, "/bin/sh", "-c", "trap 'exit 7' TERM; echo up; while :; do :; done"
        )
        assert await read_some(process.output) == b"up\n"
        process.signal(signal.SIGTERM)
        assert await process.wait() == ExitStatus(code=7)
        process.signal(signal.SIGTERM)
        os.close(process.output)

    async def test_unhandled_signal_ends_the_program(self, sandbox: Sandbox) -> None:
        """No program inherits ignored signals, nor the immunity of a PID 1."""
        process = await spawn(sandbox, "/bin/sh", "-c", "echo up; while :; do :; done")
        await read_some(process.output)
        process.signal(signal.SIGINT)
        assert await process.wait() == ExitStatus(signal=signal.SIGINT)
        os.close(process.output)

    async def test_missing_program_ends_with_127(self, sandbox: Sandbox) -> None:
        """As a shell answers."""
        status, _ = await run(sandbox, "/does/not/exist")
        assert status == ExitStatus(code=127)

    async def test_program_that_cannot_be_executed_ends_with_126(self, sandbox: Sandbox) -> None:
        """A bootstrap without the x bit is the classic."""
        status, _ = await run(sandbox, sandbox.guest_path("/var/task/file"))
        assert status == ExitStatus(code=126)

    async def test_environment_is_exactly_what_was_given(self, sandbox: Sandbox) -> None:
        """Nothing of the server's environment leaks in."""
        given = {"A": "1", "EMPTY": "", "TEXT": "a=b c\nd", "UMLAUT": "ä"}
        _, output = await run(sandbox, "/usr/bin/env", "-0", environment=given)
        pairs = [entry.split("=", 1) for entry in output.decode().split("\0") if entry]
        assert dict(pairs) == given

    async def test_arguments_arrive_unchanged(self, sandbox: Sandbox) -> None:
        """Also empty ones and ones with spaces."""
        given = ("", "a b", "*", "$HOME")
        _, output = await run(sandbox, "/usr/bin/printf", "<%s>", *given)
        assert output == "".join(f"<{text}>" for text in given).encode()

    async def test_program_starts_in_its_directory(self, sandbox: Sandbox) -> None:
        """AWS starts runtimes in /var/task."""
        directory = sandbox.guest_path("/var/task")
        _, output = await run(sandbox, "/bin/pwd", cwd=directory)
        assert output.decode().strip() == directory

    async def test_telemetry_has_a_pipe_of_its_own(self, sandbox: Sandbox) -> None:
        """Framed log records do not mix with what is printed."""
        script = 'echo plain; eval "echo framed >&$_LAMBDA_TELEMETRY_LOG_FD"'
        process = await spawn(sandbox, "/bin/sh", "-c", script, telemetry=True)
        assert process.telemetry is not None
        assert await read_all(process.telemetry) == b"framed\n"
        assert await read_all(process.output) == b"plain\n"
        assert await process.wait() == ExitStatus(code=0)

    async def test_no_foreign_descriptor_is_open(self, sandbox: Sandbox) -> None:
        """SECURITY: a descriptor of the server would be a way out."""
        self.needs(NO_DESCRIPTORS)
        _, output = await shell(sandbox, "ls /proc/self/fd")
        # ls itself opens one.
        assert output.split() == [b"0", b"1", b"2", b"3"]

    async def test_standard_input_is_at_its_end(self, sandbox: Sandbox) -> None:
        """A function that reads it does not hang."""
        status, output = await run(sandbox, "/bin/cat")
        assert (status, output) == (ExitStatus(code=0), b"")

    async def test_wait_may_be_called_by_many_and_cancelled(self, sandbox: Sandbox) -> None:
        """A cancelled waiter takes nothing from the others."""
        process = await spawn(sandbox, "/bin/sh", "-c", "read nothing; exit 3")
        waiters = [asyncio.ensure_future(process.wait()) for _ in range(3)]
        waiters[0].cancel()
        assert await asyncio.gather(*waiters[1:]) == [ExitStatus(code=3)] * 2
        assert await process.wait() == ExitStatus(code=3)
        os.close(process.output)

    async def test_programs_run_side_by_side(self, sandbox: Sandbox) -> None:
        """A runtime and its extensions."""
        results = await asyncio.gather(*(shell(sandbox, f"echo {n}; exit {n}") for n in range(8)))
        assert results == [(ExitStatus(code=n), f"{n}\n".encode()) for n in range(8)]

    async def test_orphans_are_collected(self, sandbox: Sandbox) -> None:
        """Or a function that daemonises fills the process table with zombies."""
        self.needs(HIDDEN_HOST)
        await shell(sandbox, "for i in 1 2 3 4 5; do (true & ) ; done")
        count = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '"
        for _ in range(100):
            _, output = await shell(sandbox, count)
            if output == b"0\n":
                return
        pytest.fail("zombies stay")

    # Files

    async def test_mounts_are_readable(self, sandbox: Sandbox) -> None:
        """Code is there."""
        _, output = await run(sandbox, "/bin/cat", sandbox.guest_path("/var/task/file"))
        assert output == b"code"

    async def test_mounts_are_read_only(self, sandbox: Sandbox, code: Path) -> None:
        """SECURITY: code is shared between environments."""
        self.needs(READ_ONLY_MOUNTS)
        for attempt in ("echo x > /var/task/file", "touch /var/task/new", "rm /var/task/file"):
            status, output = await shell(sandbox, attempt)
            assert status.code not in (0, None)
            assert b"Read-only" in output
        assert (code / "file").read_text() == "code"

    async def test_mounts_may_lie_below_each_other(
        self, backend: SandboxBackend, code: Path, tmp_path: Path
    ) -> None:
        """Layers and single files over a runtime's directory."""
        file = tmp_path / "single"
        file.write_text("single")
        mounts = (
            Mount(source=code, target="/var/task"),
            Mount(source=code, target="/var/task/inner"),
            Mount(source=file, target="/var/task/inner/inner/file"),
        )
        sandbox = await backend.create(replace(self.spec("nested"), mounts=mounts))
        path = sandbox.guest_path("/var/task/inner/inner/file")
        _, output = await run(sandbox, "/bin/cat", path)
        await self.dispose(sandbox)
        assert output == b"single"

    async def test_missing_source_of_a_mount_is_refused(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        """With an error that names it, and nothing left."""
        with pytest.raises(HostUnfit, match="absent"):
            await backend.create(self.spec("bad", tmp_path / "absent"))
        sandbox = await backend.create(self.spec("bad"))
        await self.dispose(sandbox)

    async def test_tmp_is_writable_and_stays_between_programs(self, sandbox: Sandbox) -> None:
        """A warm environment keeps its files."""
        tmp = sandbox.guest_path("/tmp")  # noqa: S108
        await shell(sandbox, f"echo kept > {tmp}/file")
        _, output = await shell(sandbox, f"cat {tmp}/file")
        assert output == b"kept\n"

    async def test_tmp_is_empty_in_a_new_sandbox(self, backend: SandboxBackend) -> None:
        """Also in one of the same name."""
        for _ in range(2):
            sandbox = await backend.create(self.spec("again"))
            tmp = sandbox.guest_path("/tmp")  # noqa: S108
            _, output = await shell(sandbox, f"ls -A {tmp}; touch {tmp}/file")
            await self.dispose(sandbox)
            assert output == b""

    async def test_tmp_is_capped(self, sandbox: Sandbox) -> None:
        """A function cannot fill the host's disk."""
        self.needs(CAPPED_TMP)
        status, output = await shell(
            sandbox, "head -c 64M /dev/zero > /tmp/file; wc -c < /tmp/file"
        )
        assert status.code == 0
        assert b"No space left" in output
        assert 15 * 2**20 < int(output.split()[-1]) < 32 * 2**20

    async def test_tmp_is_private(self, backend: SandboxBackend, sandbox: Sandbox) -> None:
        """SECURITY: no function reads another's files."""
        self.needs(PRIVATE_TMP)
        other = await backend.create(self.spec("other"))
        await shell(sandbox, "echo secret > /tmp/file")
        _, output = await shell(other, "ls -A /tmp")
        await self.dispose(other)
        assert output == b""

    async def test_host_is_hidden(self, sandbox: Sandbox) -> None:
        """SECURITY: neither the host's files nor its processes."""
        self.needs(HIDDEN_HOST)
        _, output = await shell(sandbox, "ls -d /root /home /sys /run /var/lib /boot 2>/dev/null")
        assert output == b""
        _, output = await shell(sandbox, "cat /etc/shadow 2>/dev/null; ls -d /proc/[0-9]* | wc -l")
        # PID 1, the shell, ls and wc.
        assert int(output) <= 4

    # Network

    async def test_port_is_reached_from_inside(self, sandbox: Sandbox) -> None:
        """The Runtime API is served over it."""
        listener = sandbox.listeners[9001]
        host, _, port = listener.address.rpartition(":")
        client = (
            "import socket; s = socket.create_connection"
            f"(({host!r}, {port})); s.sendall(b'hello'); print(s.recv(9).decode())"
        )
        process = await spawn(sandbox, PYTHON, "-I", "-S", "-c", client)
        loop = asyncio.get_running_loop()
        connection, _ = await loop.sock_accept(listener.socket)
        with connection:
            connection.setblocking(False)
            assert await loop.sock_recv(connection, 9) == b"hello"
            await loop.sock_sendall(connection, b"welcome")
            assert await read_all(process.output) == b"welcome\n"
        assert await process.wait() == ExitStatus(code=0)

    async def test_ports_are_private(self, backend: SandboxBackend, sandbox: Sandbox) -> None:
        """SECURITY: the socket is the identity of the environment."""
        self.needs(PRIVATE_NETWORK)
        other = await backend.create(self.spec("other", ports=(9001,)))
        address = sandbox.listeners[9001].address
        host, _, port = address.rpartition(":")
        client = f"import socket; socket.create_connection(({host!r}, {port}))"
        status, _ = await run(other, PYTHON, "-I", "-S", "-c", client)
        assert status.code == 0
        with pytest.raises(BlockingIOError):
            sandbox.listeners[9001].socket.accept()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5)
        await self.dispose(other)

    # Freezing and killing

    async def test_frozen_processes_stop_and_go_on(
        self, backend: SandboxBackend, sandbox: Sandbox
    ) -> None:
        """An idle function costs no processor time and does nothing behind one's back."""
        self.needs(FREEZE)
        clock = await backend.create(self.spec("clock"))
        process = await spawn(sandbox, "/bin/sh", "-c", "while :; do echo tick; done")
        await read_some(process.output)
        sandbox.freeze()
        # Time passes by the work of another sandbox.
        await shell(clock, "seq 20000 > /dev/null")
        drain(process.output)
        await shell(clock, "seq 200000 > /dev/null")
        assert drain(process.output) == 0
        sandbox.thaw()
        assert await read_some(process.output)
        sandbox.thaw()
        await self.dispose(clock)
        await sandbox.kill_processes()
        os.close(process.output)

    async def test_kill_ends_all_programs_and_the_sandbox_stays(self, sandbox: Sandbox) -> None:
        """A timed-out function is killed; its environment may be initialised anew."""
        tmp = sandbox.guest_path("/tmp")  # noqa: S108
        script = f"echo kept > {tmp}/file; setsid sleep 1000 & sleep 1000 & echo up; wait"
        process = await spawn(sandbox, "/bin/sh", "-c", script)
        assert await read_some(process.output) == b"up\n"
        await sandbox.kill_processes()
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        if SURVIVING_KILL not in self.unsupported:
            # The end of the pipe: no descendant holds it any more.
            assert await read_all(process.output) == b""
        else:
            os.close(process.output)
        assert await shell(sandbox, f"cat {tmp}/file") == (ExitStatus(code=0), b"kept\n")

    async def test_kill_works_on_a_frozen_sandbox(self, sandbox: Sandbox) -> None:
        """And thaws it."""
        process = await spawn(sandbox, "/bin/sleep", "1000")
        sandbox.freeze()
        await sandbox.kill_processes()
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        os.close(process.output)
        assert (await shell(sandbox, "exit 5"))[0] == ExitStatus(code=5)

    async def test_kill_is_quick_when_processor_time_is_used_up(self, sandbox: Sandbox) -> None:
        """A function of 128 MB has 7 % of a processor; its end must not wait for that."""
        self.needs(SURVIVING_KILL)
        sandbox.set_limits(replace(SMALL, vcpus=0.07))
        script = "for i in $(seq 40); do (while :; do :; done) & done; echo up; wait"
        process = await spawn(sandbox, "/bin/sh", "-c", script)
        assert await read_some(process.output) == b"up\n"
        async with asyncio.timeout(1):
            await sandbox.kill_processes()
        assert await read_all(process.output) == b""

    # Limits

    async def test_memory_limit_kills_and_says_so(self, sandbox: Sandbox) -> None:
        """And the sandbox stays usable."""
        self.needs(MEMORY_LIMIT)
        hog = "b = b'x' * (300 << 20)"
        status, _ = await run(sandbox, PYTHON, "-I", "-S", "-c", hog)
        assert status == ExitStatus(signal=signal.SIGKILL, out_of_memory=True)
        status, _ = await shell(sandbox, "exit 0")
        assert status == ExitStatus(code=0, out_of_memory=False)

    async def test_memory_limit_can_be_changed(self, sandbox: Sandbox) -> None:
        """A prepared sandbox gets the function's size later."""
        self.needs(MEMORY_LIMIT)
        sandbox.set_limits(replace(SMALL, memory_mb=1024, vcpus=0.5))
        hog = "b = b'x' * (300 << 20)"
        status, _ = await run(sandbox, PYTHON, "-I", "-S", "-c", hog)
        assert status == ExitStatus(code=0)
        sandbox.set_limits(SMALL)
        status, _ = await run(sandbox, PYTHON, "-I", "-S", "-c", hog)
        assert status.out_of_memory

    async def test_memory_peak_is_measured(self, sandbox: Sandbox) -> None:
        """REPORT's Max Memory Used."""
        self.needs(MEMORY_LIMIT)
        await run(sandbox, PYTHON, "-I", "-S", "-c", "b = b'x' * (64 << 20)")
        assert 64 << 20 < sandbox.memory_peak_bytes() < 128 << 20
        sandbox.reset_memory_peak()
        assert sandbox.memory_peak_bytes() < 64 << 20

    async def test_tmp_does_not_count_as_memory(self, backend: SandboxBackend) -> None:
        """512 MB of files beside 128 MB of memory, as on AWS."""
        self.needs(MEMORY_LIMIT, CAPPED_TMP)
        limits = replace(SMALL, ephemeral_storage_mb=256)
        sandbox = await backend.create(self.spec("files", limits=limits))
        status, _ = await shell(sandbox, "head -c 200M /dev/zero > /tmp/file")
        await self.dispose(sandbox)
        assert status == ExitStatus(code=0)

    async def test_fork_bomb_is_held(self, sandbox: Sandbox) -> None:
        """It gets EAGAIN, and is swept by one kill."""
        self.needs(PROCESS_LIMIT)
        bomb = (
            "import os, signal\nn = 0\ntry:\n while n < 5000:\n  if os.fork() == 0:\n"
            "   signal.pause()\n  n += 1\nexcept OSError: pass\n"
            "print(n, flush=True)\nsignal.pause()"
        )
        process = await spawn(sandbox, PYTHON, "-I", "-S", "-c", bomb)
        count = int(await read_some(process.output))
        assert SMALL.processes - 8 <= count < SMALL.processes
        await sandbox.kill_processes()
        os.close(process.output)
        # One that grows while it is being killed.
        process = await spawn(sandbox, "/bin/sh", "-c", "b() { b | b & }; echo up; b; wait")
        await read_some(process.output)
        await sandbox.kill_processes()
        os.close(process.output)
        assert await shell(sandbox, "echo alive") == (ExitStatus(code=0), b"alive\n")

    async def test_descriptors_are_limited(self, sandbox: Sandbox) -> None:
        """1,024, as on AWS."""
        _, output = await shell(sandbox, "ulimit -n; ulimit -Hn")
        assert output == b"1024\n1024\n"

    # The end

    async def test_destroy_may_be_called_twice_and_at_once(self, backend: SandboxBackend) -> None:
        """Whoever comes first."""
        sandbox = await backend.create(self.spec("twice"))
        await asyncio.gather(sandbox.destroy(), sandbox.destroy())
        await sandbox.destroy()

    @pytest.mark.parametrize("frozen", [False, True])
    async def test_destroy_ends_what_runs(self, backend: SandboxBackend, *, frozen: bool) -> None:
        """Frozen processes too."""
        if frozen:
            self.needs(FREEZE)
        sandbox = await backend.create(self.spec("running"))
        process = await spawn(sandbox, "/bin/sh", "-c", "echo up; sleep 1000 & wait")
        assert await read_some(process.output) == b"up\n"
        if frozen:
            sandbox.freeze()
        await sandbox.destroy()
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        assert await read_all(process.output) == b""

    async def test_methods_are_harmless_after_destroy(self, backend: SandboxBackend) -> None:
        """Callers need not know."""
        sandbox = await backend.create(self.spec("gone"))
        await sandbox.destroy()
        sandbox.freeze()
        sandbox.thaw()
        sandbox.set_limits(SMALL)
        sandbox.reset_memory_peak()
        assert sandbox.memory_peak_bytes() >= 0
        await sandbox.kill_processes()
        with pytest.raises(HostUnfit):
            await spawn(sandbox, "/bin/true")

    async def test_cancelled_create_leaves_nothing(self, backend: SandboxBackend) -> None:
        """A caller may lose its patience at any moment."""
        creations = [asyncio.ensure_future(backend.create(self.spec(f"c{n}"))) for n in range(8)]
        for turns, creation in enumerate(creations):
            for _ in range(turns):
                await asyncio.sleep(0)
            creation.cancel()
        await asyncio.gather(*creations, return_exceptions=True)
        await backend.close()
        assert not descendants(os.getpid())

    @pytest.mark.slow
    async def test_nothing_is_left_of_many_sandboxes(
        self, backend: SandboxBackend, code: Path, tmp_path: Path
    ) -> None:
        """Processes, mounts, loop devices, descriptors."""

        async def live(number: int) -> None:
            sandbox = await backend.create(self.spec(f"n{number}", code, ports=(9001,)))
            process = await spawn(sandbox, "/bin/sh", "-c", "echo x > /tmp/file; sleep 1000 &")
            await process.wait()
            os.close(process.output)
            await self.dispose(sandbox)

        await live(0)
        before = self.holdings(tmp_path)
        for start in range(1, 51, 10):
            await asyncio.gather(*(live(n) for n in range(start, start + 10)))
        assert self.holdings(tmp_path) == before

    @staticmethod
    def holdings(directory: Path) -> tuple[set[int], set[str], int]:
        """What of this process's may leak."""
        return (
            descendants(os.getpid()),
            mounts_and_devices(directory),
            len(open_descriptors()),
        )

    async def test_close_destroys_all(self, backend: SandboxBackend) -> None:
        """And may be called twice."""
        sandbox = await backend.create(self.spec("left"))
        process = await spawn(sandbox, "/bin/sleep", "1000")
        await backend.close()
        assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
        os.close(process.output)
        await backend.close()
        assert not descendants(os.getpid())
