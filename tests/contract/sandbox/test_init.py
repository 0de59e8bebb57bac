"""Both programs that a sandbox's PID 1 can be answer alike: the Python one and the small one."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from lambdad.domain.errors import HostUnfit
from lambdad.guest import init as guest_init
from lambdad.sandbox import small_init
from lambdad.sandbox.base import ExitStatus, ProcessSpec
from lambdad.sandbox.confinement import READY
from lambdad.sandbox.init_client import InitClient
from lambdad.testing.guest_programs import read_all

pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "lambdad" / "guest" / "native"
_SPEC = importlib.util.spec_from_file_location("build_init", ROOT / "scripts" / "build_init.py")
assert _SPEC is not None
assert _SPEC.loader is not None
build_init = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(build_init)

START = """
import os, signal, socket, sys
from lambdad.guest import init

def fork(argv, environment, places):
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(argv[0], argv, environment)
    return pid

control, successor, forks = map(int, sys.argv[1:])
os.set_inheritable(control, False)
score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
if successor:
    os.set_inheritable(successor, False)
init.main(socket.socket(fileno=control), score, fork if forks else None, successor or None)
"""
PYTHON, SMALL = "Python", "small"


class PidOne:
    """A PID 1 in a PID namespace, and the supervisor's end of its socket."""

    def __init__(self, program: str, *, forks: bool = False) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        successor = small_init.program() if program == SMALL else None
        assert (successor is None) == (program == PYTHON)
        given = [theirs.fileno()] + ([] if successor is None else [successor])
        arguments = [str(theirs.fileno()), str(successor or 0), str(int(forks))]
        unshare = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
        self.process = subprocess.Popen(
            [*unshare, sys.executable, "-c", START, *arguments], pass_fds=given
        )
        reader, writer = os.pipe()
        socket.send_fds(theirs, [READY], [reader])
        for fd in (*given, reader, writer):
            if fd != theirs.fileno():
                os.close(fd)
        theirs.close()
        self.client = InitClient(ours, lambda: None)

    async def ready(self) -> None:
        pidfd, _ = await self.client.ready(0)
        os.close(pidfd)

    async def run(
        self, *argv: str, inherited: Sequence[int] = (), telemetry: bool = False, cwd: str = "/"
    ) -> tuple[ExitStatus, str]:
        ended, output = await self.start(*argv, inherited=inherited, telemetry=telemetry, cwd=cwd)
        said = (await read_all(output)).decode()
        return await ended, said

    async def start(
        self,
        *argv: str,
        inherited: Sequence[int] = (),
        telemetry: bool = False,
        cwd: str = "/",
        forked: bool = False,
    ) -> tuple[asyncio.Future[ExitStatus], int]:
        self.token, ended, output = await self._start(
            ProcessSpec(
                argv=argv,
                environment={"A": "b=c", "EMPTY": ""},
                cwd=cwd,
                telemetry=telemetry,
                inherited=tuple(inherited),
                forked=forked,
            )
        )
        return ended, output

    async def _start(self, spec: ProcessSpec) -> tuple[int, asyncio.Future[ExitStatus], int]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        extra = [os.open("/dev/zero", os.O_RDONLY)] if spec.telemetry else []
        try:
            token, ended = await self.client.spawn(spec, [writer, *extra])
        except BaseException:
            os.close(reader)
            raise
        finally:
            for fd in (writer, *extra):
                os.close(fd)
        return token, ended, reader

    async def sh(self, script: str, cwd: str = "/") -> str:
        status, said = await self.run("/bin/sh", "-c", script, cwd=cwd)
        assert status == ExitStatus(code=0), said
        return said


@pytest.fixture(params=[PYTHON, SMALL])
async def one(request: pytest.FixtureRequest) -> AsyncIterator[PidOne]:
    one = PidOne(request.param)
    await one.ready()
    yield one
    one.client.lose()
    assert await asyncio.to_thread(one.process.wait, 20) == 0


async def test_the_program_is_the_one_that_is_meant(
    one: PidOne, request: pytest.FixtureRequest
) -> None:
    small = request.node.callspec.params["one"] == SMALL
    assert ("memfd" in await one.sh("readlink /proc/1/exe")) == small
    assert "control=" not in await one.sh("cat /proc/self/environ | tr '\\0' '\\n'")


async def test_a_program_finds_its_arguments_variables_and_directory(one: PidOne) -> None:
    assert await one.sh("tr '\\0' '\\n' < /proc/self/environ") == "A=b=c\nEMPTY=\n"
    assert await one.sh("pwd", cwd="/usr") == "/usr\n"
    status, said = await one.run("/usr/bin/printf", "<%s>", "", "a b", "*", "")
    assert (status, said) == (ExitStatus(code=0), "<><a b><*><>")
    many = ["x" * 100] * 1_000
    assert await one.run("/usr/bin/printf", "%s", *many) == (ExitStatus(code=0), "".join(many))


async def test_a_program_finds_its_descriptors_and_no_others(one: PidOne) -> None:
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    try:
        for number, (_, writer) in enumerate(pipes):
            os.write(writer, f"{number}\n".encode())
        script = "read a <&4; read b <&5; read c <&6; echo $a $b $c; echo /proc/self/fd/*"
        for telemetry in (True, False):
            inherited = [reader for reader, _ in pipes]
            status, said = await one.run(
                "/bin/sh", "-c", script, inherited=inherited, telemetry=telemetry
            )
            assert status == ExitStatus(code=0)
            first, rest = said.splitlines()
            assert first == "0 1 2"
            # The lowest that is free is the shell's own, of the directory it lists.
            assert len(rest.split()) == (8 if telemetry else 7)
            for number, (_, writer) in enumerate(pipes):
                os.write(writer, f"{number}\n".encode())
    finally:
        for fd in (fd for pipe in pipes for fd in pipe):
            os.close(fd)


async def test_a_program_is_a_session_of_its_own_without_inherited_signals(one: PidOne) -> None:
    wanted = "Sig(Blk|Ign)|NSsid|NSpid"
    status, said = await one.run("/bin/grep", "-E", wanted, "/proc/self/status")
    assert status == ExitStatus(code=0)
    found = {line.split()[0]: line.split()[-1] for line in said.splitlines()}
    assert found["NSpid:"] == found["NSsid:"]
    # Two are the C library's own.
    own = 1 << 31 | 1 << 32
    assert int(found["SigBlk:"], 16) == int(found["SigIgn:"], 16) & ~own == 0


async def test_the_program_is_the_kernels_victim_and_pid_one_is_not(one: PidOne) -> None:
    assert await one.sh("cat /proc/self/oom_score_adj") == "1000\n"
    # It has started the program by then, but may not have turned to itself yet.
    await one.sh("until [ $(cat /proc/1/oom_score_adj) = 0 ]; do :; done")


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """A file that is no program."""
    path = tmp_path / "plain"
    path.write_text("no program")
    return str(path)


async def test_what_cannot_be_started_says_why(one: PidOne, plain: str) -> None:
    assert (await one.run("/does/not/exist"))[0] == ExitStatus(code=127)
    assert (await one.run("/etc/passwd/none"))[0] == ExitStatus(code=127)
    assert (await one.run(plain))[0] == ExitStatus(code=126)
    with pytest.raises(HostUnfit, match="No such file"):
        await one.run("/bin/true", cwd="/does/not/exist")
    assert await one.sh("echo alive; pwd") == "alive\n/\n"


async def test_a_signal_reaches_its_program_alone(one: PidOne) -> None:
    first, output = await one.start("/bin/sleep", "1000")
    token = one.token
    second, other = await one.start("/bin/sleep", "1000")
    one.client.signal(token, signal.SIGTERM)
    assert await first == ExitStatus(signal=signal.SIGTERM)
    assert not second.done()
    one.client.signal(one.token, signal.SIGKILL)
    assert await second == ExitStatus(signal=signal.SIGKILL)
    for fd in (output, other):
        os.close(fd)


async def test_kill_all_leaves_no_process_and_orphans_no_zombies(one: PidOne) -> None:
    await one.sh("for n in 1 2 3; do setsid sleep 1000 >/dev/null 2>&1 & done")
    await one.sh("(sleep 0.01 >/dev/null 2>&1 &)")
    ended, output = await one.start("/bin/sh", "-c", "trap '' TERM; while :; do :; done")
    await one.client.kill_all()
    assert await ended == ExitStatus(signal=signal.SIGKILL)
    os.close(output)
    assert await one.sh("cd /proc; set -- [0-9]*; echo $#") == "2\n"
    await one.client.kill_all()


async def test_connections_are_made_and_refusals_reported(one: PidOne) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        connection = await one.client.connect(port)
        accepted, _ = listener.accept()
        with connection, accepted:
            accepted.send(b"x")
            assert await asyncio.get_running_loop().sock_recv(connection, 1) == b"x"
    with pytest.raises(ConnectionRefusedError):
        await one.client.connect(port)


async def test_the_small_program_takes_over_what_runs() -> None:
    one = PidOne(SMALL, forks=True)
    await one.ready()
    assert "memfd" not in await one.sh("readlink /proc/1/exe")
    executed, output = await one.start("/bin/sleep", "1000")
    first = one.token
    forked, other = await one.start("/bin/sleep", "1000", forked=True)
    second = one.token
    # Until it is executed, what was forked loses signals.
    both = "$(cat /proc/[0-9]*/comm | grep -cx sleep) = 2"
    assert "memfd" in await one.sh(f"until [ {both} ]; do :; done; readlink /proc/1/exe")
    for token, ended in ((second, forked), (first, executed)):
        one.client.signal(token, signal.SIGINT)
        assert await ended == ExitStatus(signal=signal.SIGINT)
    # There is nothing to fork from any more: it is executed.
    again, last = await one.start("/bin/true", forked=True)
    assert await again == ExitStatus(code=0)
    for fd in (output, other, last):
        os.close(fd)
    one.client.lose()
    assert await asyncio.to_thread(one.process.wait, 20) == 0


async def test_what_ends_while_the_programs_change_is_reported() -> None:
    for _ in range(10):
        one = PidOne(SMALL, forks=True)
        await one.ready()
        ended, output = await one.start("/bin/true", forked=True)
        assert await ended == ExitStatus(code=0)
        os.close(output)
        one.client.lose()
        assert await asyncio.to_thread(one.process.wait, 20) == 0


async def test_more_programs_than_it_can_remember_are_refused() -> None:
    one = PidOne(SMALL)
    await one.ready()
    running = [await one.start("/bin/sleep", "1000") for _ in range(64)]
    with pytest.raises(HostUnfit, match="temporarily unavailable"):
        await one.start("/bin/true")
    await one.client.kill_all()
    for ended, output in running:
        assert (await ended).signal == signal.SIGKILL
        os.close(output)
    assert await one.sh("echo alive") == "alive\n"
    one.client.lose()
    assert await asyncio.to_thread(one.process.wait, 20) == 0


@pytest.mark.parametrize("machine", build_init.MACHINES)
def test_committed_bytes_are_what_the_source_builds(machine: str, tmp_path: Path) -> None:
    if build_init.tool("gcc", machine) is None:
        pytest.skip(f"there is no compiler for {machine} here")
    built = tmp_path / "init"
    build_init.build(machine, built)
    committed = (SOURCE / f"init-{machine}").read_bytes()
    compiler = committed[committed.index(b"GCC: ") :].partition(b"\0")[0]
    if compiler not in built.read_bytes():
        pytest.skip(f"built by another compiler: {compiler.decode()}")
    assert built.read_bytes() == committed


def test_the_messages_are_those_of_the_python_program() -> None:
    source = (SOURCE / "init.c").read_text()
    for name in ("TELEMETRY_FD", "FIRST_INHERITED_FD"):
        assert f"{name} = {getattr(guest_init, name)}" in source
    for name in ("SPAWN_HEAD", "SIGNAL_REQUEST", "KILL_REQUEST", "CONNECT_REQUEST"):
        size = getattr(guest_init, name).size
        assert f"{name.removesuffix('_REQUEST')}_BYTES = {size}" in source
