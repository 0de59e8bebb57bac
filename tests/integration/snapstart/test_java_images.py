"""What takes on images of Java functions can do what such a function can do, and no more."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import lambdad
from lambdad.domain.environments import Mount, ResourceLimits
from lambdad.sandbox.base import ExitStatus, ProcessSpec, SandboxSpec

if TYPE_CHECKING:
    from tests.integration.snapstart.conftest import Machine

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(120),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="it is for x86-64"),
]
of_the_machine = pytest.mark.asyncio(loop_scope="module")

NATIVE = Path(lambdad.__file__).parent / "guest" / "java" / "native"
SCRIPTS = Path(__file__).parents[3] / "scripts"
# See `snapshot.h`.
AREA = 0x2000_0100_0000
THREADS_AT, THREAD = 4096, struct.Struct("=8Q16s")
TEXTS_AT = THREADS_AT + 1024 * THREAD.size
STEPS_AT, STEP = TEXTS_AT + (1 << 20), struct.Struct("=8Q")
TAIL = struct.Struct("=QQ16s16s")
ANY, OPENED = 2**64 - 1, 2**64 - 2
FIRST_PID = 2

Step = tuple[int, ...]


def kernel_pages() -> list[tuple[int, int]]:
    """Where this process has the kernel's own pages, and how many bytes."""
    places = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "[vvar" in line or "[vdso" in line:
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            places.append((start, end - start))
    return places


def an_image(
    steps: Iterable[Step], threads: Iterable[bytes] = (), text: bytes = b"", pid: int = FIRST_PID
) -> bytes:
    """Lay an image out that has no memory but its own area."""
    made, pages, described = list(steps), kernel_pages(), list(threads)
    fields = [pid, len(described), len(made), AREA + TEXTS_AT + 8192, len(pages)]
    fields += [number for page in pages for number in page]
    fields += [0] * (5 + 8 - len(fields))
    # Where the program and its heap are: anywhere that makes sense.
    fields += [0x10000, 0x20000, *[0x30000] * 4, 0x40000, *[0x50000] * 4]
    area = bytearray(STEPS_AT + len(made) * STEP.size)
    struct.pack_into(f"={len(fields)}Q", area, 0, *fields)
    for number, thread in enumerate(described):
        struct.pack_into(f"={len(thread)}s", area, THREADS_AT + number * THREAD.size, thread)
    struct.pack_into(f"={len(text)}s", area, TEXTS_AT, text)
    for number, step in enumerate(made):
        call, *arguments = step
        values = [call, *arguments, *[0] * (6 - len(arguments)), ANY]
        STEP.pack_into(area, STEPS_AT + number * STEP.size, *values)
    area += bytes(-len(area) % 4096)
    return bytes(area) + TAIL.pack(0, len(area), bytes(16), b"lambdad-snapshot")


def lay_out(directory: Path, image: bytes) -> tuple[Path, int]:
    """Return a directory with the restorer in it, and a descriptor of the image."""
    directory.chmod(0o755)
    program = directory / "runtime"
    program.mkdir(exist_ok=True)
    program.chmod(0o755)
    shutil.copy(NATIVE / "restore", program)
    (program / "restore").chmod(0o755)
    (directory / "image").write_bytes(image)
    return program, os.open(directory / "image", os.O_RDONLY)


async def restored(machine: Machine, directory: Path, image: bytes) -> tuple[ExitStatus, str]:
    """Have an image taken on in a sandbox; how that ended, and what was printed."""
    program, descriptor = lay_out(directory, image)
    sandbox = await machine.backend.create(
        SandboxSpec(
            environment_id=os.urandom(8).hex(),
            mounts=(Mount(source=program, target="/var/runtime"),),
            limits=ResourceLimits(memory_mb=128, vcpus=None, ephemeral_storage_mb=512),
            ports=(),
            egress=False,
        )
    )
    ours, theirs = socket.socketpair()
    try:
        process = await sandbox.spawn(
            ProcessSpec(
                argv=("/var/runtime/restore",),
                environment={},
                cwd="/",
                telemetry=True,
                inherited=(theirs.fileno(), descriptor),
            )
        )
        async with asyncio.timeout(60):
            status = await process.wait()
        return status, os.read(process.output, 65536).decode(errors="replace")
    finally:
        os.close(descriptor)
        ours.close()
        theirs.close()
        await sandbox.destroy()


READ, WRITE, EXIT_GROUP, OPENAT = 0, 1, 231, 257
BUFFER = AREA + TEXTS_AT + 4096


@of_the_machine
async def test_an_image_has_the_guards_of_its_sandbox(machine: Machine, tmp_path: Path) -> None:
    steps = [
        (OPENAT, 2**64 - 100, AREA + TEXTS_AT, 0),
        (READ, OPENED, BUFFER, 4000),
        (WRITE, 1, BUFFER, 4000),
        (EXIT_GROUP, 7),
    ]
    image = an_image(steps, text=b"/proc/self/status\0")
    status, printed = await restored(machine, tmp_path, image)
    assert status.code == 7, printed
    said = dict(line.split(":\t", 1) for line in printed.splitlines() if ":\t" in line)
    assert (said["NoNewPrivs"], said["Seccomp"], int(said["CapEff"], 16)) == ("1", "2", 0)
    assert (said["Pid"], said["Threads"]) == (str(FIRST_PID), "1")
    assert "0" not in said["Uid"].split()


FORBIDDEN = {
    "unshare": (272, 0x1000_0000),
    "setns": (308, 5, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "ptrace": (101, 16, 1, 0, 0),
    "bpf": (321, 0, 0, 0),
    "clone with a namespace": (56, 0x1000_0011, 0, 0, 0, 0),
    "limits of PID 1": (302, 1, 7, BUFFER, 0),
    "powers": (126, BUFFER, BUFFER),
    "another user": (105, 0),
    "a kernel module": (175, BUFFER, 8, BUFFER),
}


@of_the_machine
async def test_what_a_function_must_not_do_an_image_cannot(
    machine: Machine, tmp_path: Path
) -> None:
    said = {}
    for what, call in FORBIDDEN.items():
        status, printed = await restored(machine, tmp_path, an_image([call, (EXIT_GROUP, 7)]))
        # The number of the step, and EPERM or, for what is no structure at all, EINVAL.
        refused = "step s0x00000" in printed and printed.strip()[-4:] in ("0001", "0016")
        said[what] = (status.code, refused or printed)
    assert said == dict.fromkeys(FORBIDDEN, (70, True))


def a_thread(tid: int, frame: int) -> bytes:
    return THREAD.pack(tid, frame, 0, 0, 0, 0, 0, 0, b"hostile")


WILD = {
    "no thread": ([], [], FIRST_PID),
    "another process": ([], [], 99),
    "registers from nowhere": ([], [a_thread(FIRST_PID, 0x5000)], FIRST_PID),
    "a thread whose number is gone": (
        [],
        [a_thread(FIRST_PID, 0x5000), a_thread(1, AREA)],
        FIRST_PID,
    ),
    "a descriptor that is none": ([(1 << 20, 0, 0, 0, 0)], [], FIRST_PID),
    "its own program unmapped": ([(11, 0x2000_0000_0000, 1 << 20)], [], FIRST_PID),
}


@of_the_machine
@pytest.mark.parametrize("what", WILD)
async def test_an_image_that_makes_no_sense_ends_its_process(
    machine: Machine, tmp_path: Path, what: str
) -> None:
    steps, threads, pid = WILD[what]
    status, printed = await restored(machine, tmp_path, an_image(steps, threads, pid=pid))
    assert status.code == 70 or status.signal == 11, (status, printed)


@of_the_machine
@pytest.mark.parametrize("place", [-48, -40])
async def test_a_damaged_end_is_seen(machine: Machine, tmp_path: Path, place: int) -> None:
    image = bytearray(an_image([(EXIT_GROUP, 7)]))
    assert (await restored(machine, tmp_path, bytes(image)))[0].code == 7
    struct.pack_into("=Q", image, place % len(image), 2**64 - 1)
    assert (await restored(machine, tmp_path, bytes(image)))[0].code == 70
    assert (await restored(machine, tmp_path, b""))[0].code == 70


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_the_programs_are_what_their_sources_say(tmp_path: Path) -> None:
    sys.path.insert(0, str(SCRIPTS))
    try:
        from build_java_snapshots import LIBRARY, PROGRAM, build  # noqa: PLC0415 - a script
    finally:
        sys.path.remove(str(SCRIPTS))
    build(tmp_path)
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, check=True).stdout
    version = compiler.split(b"\n", 1)[0].partition(b" ")[2]
    for name in (LIBRARY, PROGRAM):
        if version not in (NATIVE / name).read_bytes():
            pytest.skip(f"built by another compiler than {version.decode()}")
        assert (tmp_path / name).read_bytes() == (NATIVE / name).read_bytes()
