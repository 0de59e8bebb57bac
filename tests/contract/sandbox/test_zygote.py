"""Programs that are forked from a booted interpreter are like programs that were executed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.domain.environments import Mount, Zygote
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import ExitStatus, GuestProcess, ProcessSpec, Sandbox, SandboxBackend
from lambdad.sandbox.registry import backend as backend_type
from lambdad.testing.guest_programs import read_all
from lambdad.testing.sandbox_fixtures import SandboxFixtures

pytestmark = [pytest.mark.root, pytest.mark.timeout(60)]

LANGUAGE = Path(sys.base_prefix)
BINARY = f"/var/lang/bin/python3.{sys.version_info.minor}"
SCRIPT = "/var/runtime/program.py"

PROGRAM = """
import json, os, sys, signal, threading
def about():
    return {
        "argv": sys.argv, "file": __file__, "path0": sys.path[0],
        "variables": {name: os.environ[name] for name in os.environ},
        "cwd": os.getcwd(), "session": os.getsid(0) == os.getpid(),
        "descriptors": sorted(os.listdir("/proc/self/fd"))[:-1],
        "signals": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
        "lambdad": [name for name in sys.modules if "lambdad" in name],
        "command": open("/proc/self/cmdline").read().rstrip("\\0").split("\\0"),
        "name": open("/proc/self/comm").read().strip(),
        "mnt": os.listdir("/mnt"), "opt": os.listdir("/opt"),
        "random": __import__("random").random(), "main": sys.modules["__main__"].__file__,
        "encoding": sys.stdout.encoding,
    }
do = os.environ.get("DO", "json.dumps(about())")
sys.stdout.write(str(eval(do)))
"""
# How often a secret is in the program's own memory, without the secret's being in the question.
SEARCH = """sum(
    len(__import__("re").findall(b"passwor[d]-of-another", memory.read(end - start)))
    for memory in [open("/proc/self/mem", "rb", 0)]
    for line in open("/proc/self/maps") if " rw-p " in line
    for start, end in [[int(edge, 16) for edge in line.split()[0].split("-")]]
    if memory.seek(start)
)"""

LOOK = """
import os, time
until, opened, refused = time.monotonic() + 0.1, 0, 0
while time.monotonic() < until:
    for name in ("mem", "environ", "maps", "fd/0"):
        try:
            os.close(os.open("/proc/1/" + name, os.O_RDONLY))
            opened += 1
        except PermissionError:
            refused += 1
print(opened, refused > 0, end=" ")
"""


def zygote(runtime: Path, **changes: Any) -> Zygote:
    """Describe the interpreter that runs the tests."""
    return replace(
        Zygote(
            argv=(BINARY, "-S"),
            script=SCRIPT,
            modules=("json", "random"),
            mounts=(
                Mount(source=runtime, target="/var/runtime"),
                Mount(source=LANGUAGE, target="/var/lang"),
            ),
            environment=(("LANG", "C.UTF-8"), ("AT_START", "1")),
            directories=("/opt/lib", "/var/task/lib"),
        ),
        **changes,
    )


@pytest.fixture
def background() -> Iterator[None]:
    """What a shell has a program ignore that it starts in the background, and nohup."""
    ignored = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
    before = [signal.signal(number, signal.SIG_IGN) for number in ignored]
    yield
    for number, handler in zip(ignored, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[SandboxBackend]:
    backend = backend_type("native")(
        SandboxConfig(egress=False, first_uid=2_500_000), tmp_path / "state", SystemClock()
    )
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (runtime / "program.py").write_text(PROGRAM)
    return runtime


class Forks:
    """A sandbox with a zygote, and what is asked of its forks."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def start(self, do: str | None = None, **variables: str) -> GuestProcess:
        return await self.sandbox.spawn(
            ProcessSpec(
                argv=(BINARY, "-S", SCRIPT),
                environment=variables if do is None else {**variables, "DO": do},
                cwd="/var/task",
                forked=True,
            )
        )

    async def run(self, do: str | None = None, **variables: str) -> tuple[ExitStatus, str]:
        process = await self.start(do, **variables)
        output = (await read_all(process.output)).decode()
        return await process.wait(), output

    async def about(self, **variables: str) -> Mapping[str, Any]:
        status, output = await self.run(**variables)
        assert status == ExitStatus(code=0), output
        found: Mapping[str, Any] = json.loads(output)
        return found


async def make(backend: SandboxBackend, source: Zygote, name: str = "one") -> Forks:
    await backend.prepare(source)
    spec = SandboxFixtures.spec(name)
    return Forks(await backend.create(replace(spec, mounts=source.mounts, zygote=source)))


@pytest.fixture
async def forks(backend: SandboxBackend, runtime: Path) -> AsyncIterator[Forks]:
    forks = await make(backend, zygote(runtime))
    yield forks
    await forks.sandbox.destroy()


async def test_a_fork_finds_what_an_executed_program_finds(
    background: None, backend: SandboxBackend, runtime: Path, forks: Forks
) -> None:
    """But for its random numbers, all is the same."""
    unprepared = replace(zygote(runtime), argv=(BINARY, "-S", "-X", "never=prepared"))
    spec = replace(SandboxFixtures.spec("two"), mounts=unprepared.mounts)
    executed = Forks(await backend.create(spec))
    variables = {"A": "1", "LANG": "C.UTF-8"}
    forked = dict(await forks.about(**variables))
    compared = dict(await executed.about(**variables))
    assert forked.pop("random") != compared.pop("random")
    assert forked == compared
    assert forked["variables"] == variables
    assert forked["descriptors"] == ["0", "1", "2"]
    await executed.sandbox.destroy()


async def test_forks_draw_different_random_numbers(forks: Forks) -> None:
    """Also from a module that was imported before the fork."""
    assert (await forks.about())["random"] != (await forks.about())["random"]


@pytest.mark.parametrize(
    ("do", "status"),
    [
        ("sys.exit(3)", ExitStatus(code=3)),
        ("os._exit(4)", ExitStatus(code=4)),
        ("1 / 0", ExitStatus(code=1)),
        ("os.kill(os.getpid(), 11)", ExitStatus(signal=signal.SIGSEGV)),
        ("os.kill(os.getpid(), 2)", ExitStatus(signal=signal.SIGINT)),
    ],
)
async def test_the_end_of_a_fork_is_reported(forks: Forks, do: str, status: ExitStatus) -> None:
    assert (await forks.run(do))[0] == status


async def test_an_unhandled_exception_is_printed(forks: Forks) -> None:
    assert "ZeroDivisionError: division by zero" in (await forks.run("1 / 0"))[1]


async def test_buffers_are_flushed_and_threads_awaited_at_the_end(forks: Forks) -> None:
    late = "lambda: (threading.main_thread().join(), sys.stdout.write('late'))"
    assert (await forks.run(f"threading.Thread(target={late}).start() or 'soon '"))[
        1
    ] == "soon late"


async def test_a_fork_has_children_and_collects_them(forks: Forks) -> None:
    """Nothing of its parent's handling of signals is left."""
    do = "__import__('subprocess').run(['/bin/sh', '-c', 'exit 7']).returncode"
    assert (await forks.run(do)) == (ExitStatus(code=0), "7")


async def test_all_forks_are_killed_and_new_ones_made(forks: Forks) -> None:
    process = await forks.start("signal.pause()")
    await forks.sandbox.kill_processes()
    assert await process.wait() == ExitStatus(signal=signal.SIGKILL)
    os.close(process.output)
    assert (await forks.run("40 + 2"))[1] == "42"


async def test_no_fork_can_read_pid_1(forks: Forks) -> None:
    """SECURITY: it is the same program and the same user."""
    for name in ("mem", "environ", "maps", "fd/0"):
        status, output = await forks.run(f"open('/proc/1/{name}', 'rb').read(1)")
        assert status.code == 1, name
        assert "PermissionError" in output


async def test_no_fork_remembers_what_another_was_given(
    backend: SandboxBackend, runtime: Path, forks: Forks
) -> None:
    """SECURITY: secrets do not pass through memory that others are forked from."""
    await forks.run("1", SECRET="password-of-another")
    other = await make(backend, zygote(runtime), "two")
    assert (await other.run(SEARCH))[1] == "0"
    # The search does find what is there.
    assert int((await other.run(SEARCH, SECRET="password-of-another"))[1]) > 0
    await other.sandbox.destroy()


async def test_files_are_mounted_into_a_sandbox_that_stands(forks: Forks, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text("code")
    process = await forks.start("sys.stdin.read() or signal.pause()")
    forks.sandbox.freeze()
    await forks.sandbox.mount([Mount(source=code, target="/var/task")])
    forks.sandbox.thaw()
    await forks.sandbox.kill_processes()
    os.close(process.output)
    assert (await forks.run("open('/var/task/app.py').read()"))[1] == "code"
    status, output = await forks.run("open('/var/task/new', 'w')")
    assert status.code == 1
    assert "Read-only file system" in output or "Permission denied" in output
    assert (await forks.run("os.listdir('/opt')"))[1] == "[]"


async def test_what_is_not_there_cannot_be_mounted(forks: Forks, tmp_path: Path) -> None:
    with pytest.raises(HostUnfit, match="cannot be given its files"):
        await forks.sandbox.mount([Mount(source=tmp_path / "gone", target="/var/task")])
    # The thread is at home again.
    assert (await forks.run("1 + 1"))[1] == "2"


async def test_an_interpreter_that_does_not_start_is_executed_each_time(
    backend: SandboxBackend, runtime: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything works without zygotes."""
    forks = await make(backend, zygote(runtime, modules=("no_such_module",)))
    assert "no_such_module" in caplog.text
    assert (await forks.run("6 * 7"))[1] == "42"
    await forks.sandbox.destroy()


async def test_a_zygote_that_was_killed_is_started_again(
    backend: SandboxBackend, runtime: Path, forks: Forks
) -> None:
    launchers = backend._launchers._zygotes  # type: ignore[attr-defined]
    pid = launchers[zygote(runtime)].pid
    process = await forks.start("signal.pause()")
    os.kill(pid, signal.SIGKILL)
    # Its sandboxes end with it.
    assert (await process.wait()).signal == signal.SIGKILL
    os.close(process.output)
    again = await make(backend, zygote(runtime), "two")
    assert (await again.run("'up'"))[1] == "up"
    await again.sandbox.destroy()


async def test_forks_find_the_hooks_work_done_that_are_not_called(forks: Forks) -> None:
    """A fork of the C library's calls nothing that `os.register_at_fork` knows."""
    expression = "(threading.main_thread().native_id == os.getpid(), threading.active_count())"
    assert await forks.run(expression) == (ExitStatus(code=0), "(True, 1)")


async def test_only_the_first_program_is_forked_and_later_ones_are_like_it(forks: Forks) -> None:
    """PID 1 is no interpreter any more by then."""
    first, second = await forks.about(LC_CTYPE="C.UTF-8"), await forks.about(LC_CTYPE="C.UTF-8")
    for name in first.keys() - {"random"}:
        assert first[name] == second[name], name
    assert first["random"] != second["random"]


async def test_pid_one_is_out_of_reach_while_it_becomes_another_program(
    backend: SandboxBackend, runtime: Path
) -> None:
    """SECURITY: whoever looks from the first instruction on never finds it open."""
    for number in range(5):
        forks = await make(backend, zygote(runtime), f"look-{number}")
        assert await forks.run(f"exec({LOOK!r})") == (ExitStatus(code=0), "0 True None")
        await forks.sandbox.destroy()


async def test_few_interpreters_are_started_beside_the_one_that_comes_up(
    backend: SandboxBackend, runtime: Path
) -> None:
    """A wave on a daemon that has just begun waits for what is forked in a fraction of the time."""
    source, processors = zygote(runtime), os.cpu_count() or 1
    names = [f"wave-{number}" for number in range(processors + 4)]
    specs = [replace(SandboxFixtures.spec(name), mounts=source.mounts) for name in names]
    sandboxes = await asyncio.gather(*(backend.create(replace(s, zygote=source)) for s in specs))
    shown = [
        (await Forks(sandbox).run("open('/proc/self/environ').read()"))[1] for sandbox in sandboxes
    ]
    # That of a fork is the zygote's.
    assert sum("AT_START" not in variables for variables in shown) <= processors
    for sandbox in sandboxes:
        await sandbox.destroy()
