"""What lies on disk of a snapshot: bounded, nameless, read-only, and trusted by nobody."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambdad.dataplane.snapstart.image import Restore, Snapshot, SnapshotRefused

if TYPE_CHECKING:
    from tests.integration.snapstart.conftest import Host

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

APP = """
DATA = bytes(range(256)) * {kilobytes} * 4
def handler(event, context):
    return len(DATA)
"""
TAIL = struct.Struct("=QQ16s16s")
STEPS_AT, STEP_BYTES = 64 * 1024, 64


def changed(snapshot: Snapshot, directory: Path, place: int, data: bytes) -> Snapshot:
    """Return a copy of an image with other bytes at a place, negative from the end."""
    path = directory / "changed"
    content = bytearray(os.pread(snapshot.descriptor, snapshot.size_bytes, 0))
    place %= len(content)
    content[place : place + len(data)] = data
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    path.unlink()
    return Snapshot(descriptor, len(content))


async def test_an_image_has_no_name_and_only_its_maker_could_write_to_it(
    host: Host, code: Path
) -> None:
    (code / "app.py").write_text(APP.format(kilobytes=1))
    before = set(host.directory.iterdir())
    snapshot = await host.snapshot(code)
    assert set(host.directory.iterdir()) == before
    status = os.fstat(snapshot.descriptor)
    assert (status.st_nlink, status.st_mode & 0o777, status.st_size) == (
        0,
        0o400,
        snapshot.size_bytes,
    )
    assert fcntl.fcntl(snapshot.descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    # As who got the descriptor, with another user: the way back to the file is closed as well.
    again = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", f": <> /proc/self/fd/{snapshot.descriptor}"),
        pass_fds=[snapshot.descriptor],
        user=65534,
        stderr=subprocess.PIPE,
    )
    assert b"Permission denied" in (await again.communicate())[1]
    snapshot.close()
    snapshot.close()
    assert snapshot.closed


async def test_an_image_is_cut_off_at_the_memory_of_its_function(host: Host, code: Path) -> None:
    (code / "app.py").write_text(APP.format(kilobytes=80 * 1024))
    with pytest.raises(SnapshotRefused, match="too much memory"):
        await host.snapshot(code, image_mb=0)
    assert not [path for path in host.directory.iterdir() if path.is_file()]


async def test_a_hostile_image_ends_its_own_environment_alone(host: Host, code: Path) -> None:
    (code / "app.py").write_text(APP.format(kilobytes=1))
    snapshot = await host.snapshot(code)
    healthy = await host.restore(code, snapshot)
    area, *_ = TAIL.unpack(
        os.pread(snapshot.descriptor, TAIL.size, snapshot.size_bytes - TAIL.size)
    )
    for place, data in (
        # A system call that does not exist; `unshare`; a stack pointer into nothing.
        (area + STEPS_AT + 3 * STEP_BYTES, struct.pack("=Q", 40_000)),
        (area + STEPS_AT + 3 * STEP_BYTES, struct.pack("=2Q", 272, 0x10000000)),
        (area + 8, struct.pack("=Q", 0x5000)),
    ):
        hostile = changed(snapshot, host.directory, place, data)
        environment = await host.start(code, Restore(hostile))
        status = await environment.ended()
        assert status.code == 70 or status.signal == 11, status
        hostile.close()
    assert await healthy.invoke({}) == 1024 * 1024 // 1024
    assert await (await host.restore(code, snapshot)).invoke({}) == 1024


UNFIT = [
    (-32, bytes(16), "The snapshot is of another interpreter."),
    (-16, bytes(16), "The snapshot is of another interpreter."),
    (-40, b"\xff" * 8, "The snapshot is damaged."),
    (-48, b"\xff" * 6, "The snapshot is damaged."),
]


async def test_where_an_image_does_not_fit_the_function_is_initialised(
    host: Host, code: Path
) -> None:
    (code / "app.py").write_text(APP.format(kilobytes=1))
    snapshot = await host.snapshot(code)
    for place, data, reason in UNFIT:
        unfit = changed(snapshot, host.directory, place, data)
        restore = Restore(unfit)
        environment = await host.start(code, restore)
        await environment.ready()
        outcome = restore.outcome()
        assert (outcome.restored, outcome.reason) == (False, reason)
        assert await environment.invoke({}) == 1024
        restore.close()
        unfit.close()


async def test_an_image_of_another_process_of_the_interpreter_does_not_fit(
    host: Host, other_host: Host, code: Path
) -> None:
    (code / "app.py").write_text(APP.format(kilobytes=1))
    restore = Restore(await other_host.snapshot(code))
    environment = await host.start(code, restore)
    await environment.ready()
    assert restore.outcome().reason == "The snapshot is of another interpreter."
    assert await environment.invoke({}) == 1024
    restore.close()
