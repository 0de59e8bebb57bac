"""Running programs in a sandbox from a test, and seeing what a test process has left.

The programs are those of any small distribution: a POSIX shell, coreutils, and `/usr/bin/python3`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from lambdad.sandbox.base import (
    ExitStatus,
    GuestProcess,
    ProcessSpec,
    Sandbox,
)

PYTHON = "/usr/bin/python3"


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
    """Return the mounts and the loop devices of this host that are on files below a directory."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found = {line for line in mounts if str(directory) in line}
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            name = backing.read_text().strip()
        except OSError:
            continue
        if name.startswith(str(directory)):
            found.add(f"{backing}: {name}")
    return found
