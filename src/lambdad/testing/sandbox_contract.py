"""What every sandbox backend promises, as tests.

A backend's own test module subclasses :class:`SandboxContract`, says how a backend is made, and
lists in `unsupported` the promises that it does not make. This module holds what is promised of
programs, files and ports; the rest is in `lambdad.testing.sandbox_life_contract`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import (
    ExitStatus,
    ProcessSpec,
    Sandbox,
    SandboxBackend,
)
from lambdad.testing.guest_programs import (
    PYTHON,
    descendants,
    drain,
    mounts_and_devices,
    open_descriptors,
    read_all,
    read_some,
    run,
    shell,
    spawn,
)
from lambdad.testing.sandbox_fixtures import (
    CAPPED_TMP,
    FREEZE,
    HIDDEN_HOST,
    MEMORY_LIMIT,
    NO_DESCRIPTORS,
    PRIVATE_NETWORK,
    PRIVATE_TMP,
    PROCESS_LIMIT,
    READ_ONLY_MOUNTS,
    SMALL,
    SURVIVING_KILL,
    TIMEOUT_S,
)
from lambdad.testing.sandbox_life_contract import SandboxLifeContract

__all__ = [
    "CAPPED_TMP",
    "FREEZE",
    "HIDDEN_HOST",
    "MEMORY_LIMIT",
    "NO_DESCRIPTORS",
    "PRIVATE_NETWORK",
    "PRIVATE_TMP",
    "PROCESS_LIMIT",
    "PYTHON",
    "READ_ONLY_MOUNTS",
    "SMALL",
    "SURVIVING_KILL",
    "TIMEOUT_S",
    "SandboxContract",
    "descendants",
    "drain",
    "mounts_and_devices",
    "open_descriptors",
    "read_all",
    "read_some",
    "run",
    "shell",
    "spawn",
]


class SandboxContract(SandboxLifeContract):
    """Subclass it, define `make_backend`, and name what is `unsupported`."""

    # Programs

    async def test_output_is_stdout_and_stderr_in_order(self, sandbox: Sandbox) -> None:
        """The log of a function is both streams."""
        status, output = await shell(sandbox, "echo one; echo two >&2; echo three")
        assert status == ExitStatus(code=0)
        assert output == b"one\ntwo\nthree\n"

    async def test_inherited_descriptors_are_found_in_order(self, sandbox: Sandbox) -> None:
        """From `FIRST_INHERITED_FD` on, with and without a telemetry pipe before them."""
        for telemetry in (False, True):
            pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
            script = "read a <&4; read b <&5; read c <&6; echo $a $b $c; ls /proc/self/fd | wc -l"
            process = await sandbox.spawn(
                ProcessSpec(
                    argv=("/bin/sh", "-c", script),
                    environment={"PATH": "/usr/bin:/bin"},
                    cwd="/",
                    telemetry=telemetry,
                    inherited=[reader for reader, _ in pipes],
                )
            )
            for number, (reader, writer) in enumerate(pipes):
                os.close(reader)
                os.write(writer, b"%d\n" % number)
                os.close(writer)
            # Besides them: input, output, errors, perhaps telemetry, and what `ls` reads.
            assert await read_all(process.output) == b"0 1 2\n%d\n" % (7 + telemetry)
            if process.telemetry is not None:
                os.close(process.telemetry)

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

    async def test_a_writable_mount_keeps_what_is_written(
        self, backend: SandboxBackend, tmp_path: Path
    ) -> None:
        """File systems of functions are shared and outlive an environment."""
        self.needs(READ_ONLY_MOUNTS)
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o777)
        mounts = (Mount(source=shared, target="/mnt/data", writable=True),)
        output = b""
        for name in ("first", "second"):
            sandbox = await backend.create(replace(self.spec(name), mounts=mounts))
            _, output = await shell(sandbox, f"echo x > /mnt/data/{name} && cat /mnt/data/*")
            await self.dispose(sandbox)
        assert output == b"x\nx\n"
        assert (shared / "first").read_text() == "x\n"

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

    async def test_listener_inside_is_reached_from_outside(self, sandbox: Sandbox) -> None:
        """Telemetry is delivered over it."""
        server = (
            "import socket; s = socket.create_server(('127.0.0.1', 0));"
            "print(s.getsockname()[1], flush=True); c, peer = s.accept();"
            "c.sendall(b'welcome'); print(peer[0], c.recv(9).decode(), flush=True)"
        )
        process = await spawn(sandbox, PYTHON, "-I", "-S", "-c", server)
        port = int(await read_some(process.output))
        loop = asyncio.get_running_loop()
        with await sandbox.connect(port) as connection:
            assert await loop.sock_recv(connection, 9) == b"welcome"
            await loop.sock_sendall(connection, b"hello")
            assert await read_all(process.output) == b"127.0.0.1 hello\n"

    async def test_nobody_listening_inside_is_told(self, sandbox: Sandbox) -> None:
        """Where no extension listens yet, records wait."""
        with pytest.raises(ConnectionRefusedError):
            await sandbox.connect(1)

    async def test_host_is_not_reached_through_a_sandbox(self, sandbox: Sandbox) -> None:
        """SECURITY: a listener of the same port outside is another one."""
        self.needs(PRIVATE_NETWORK)
        with (
            socket.create_server(("127.0.0.1", 0)) as outside,
            pytest.raises(ConnectionRefusedError),
        ):
            await sandbox.connect(outside.getsockname()[1])

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
