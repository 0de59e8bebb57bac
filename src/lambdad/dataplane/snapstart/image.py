"""The memory of an initialised function, as a file that processes of that function map.

What is in it was written by the function and is never looked into here, but for the end: it says
whether there is an image or a reason why not.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lambdad.domain.errors import PlatformError

# What an assignment begins with; see `lambdad.guest.python.snapshot_image`.
_CAPTURE, _RESTORE = b"\1", b"\2"
_RESTORED, _INITIALISED = b"R", b"I"
_TAIL = struct.Struct("=QQ16s16s")
_COMPLETE, _REFUSED = b"lambdad-snapshot", b"lambdad-refusal\0"
# An image holds what counts as a function's memory, and pages of libraries that do not.
_BEYOND_MEMORY = 64 * 1024 * 1024
_PIPE_BYTES = 1024 * 1024
_REASON_BYTES = 1000


class SnapshotRefused(PlatformError):
    """There can be no snapshot; the message is a sentence for the function's owner."""


class Snapshot:
    """An image. Nothing of it is left once it is closed and the last process of it has ended."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._descriptor = descriptor

    @property
    def closed(self) -> bool:
        """Whether nothing can be restored from it any more."""
        return self._descriptor < 0

    @property
    def descriptor(self) -> int:
        """Of the file, to be read; stays the snapshot's."""
        return self._descriptor

    def send(self, connection: socket.socket) -> None:
        """Tell a process that waits to take it on; it can only read it."""
        socket.send_fds(connection, [_RESTORE], [self._descriptor])

    def close(self) -> None:
        """Free it; may be called twice."""
        if not self.closed:
            os.close(self._descriptor)
            self._descriptor = -1


class Capture:
    """The making of an image: handed to an environment's runtime, which writes it when it is ready.

    Mutable: our ends of the pipe that it comes by. `begun` is set when the first of it has come:
    the function is initialised and its hooks have run.

    Args:
        directory: where the image lies, without a name.
        memory_mb: the function's memory; an image that is much larger is cut off.
    """

    def __init__(self, directory: Path, memory_mb: int) -> None:
        self.begun = asyncio.Event()
        self._directory = directory
        self._most = memory_mb * 1024 * 1024 + _BEYOND_MEMORY
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._result: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        self._copying: asyncio.Task[None] | None = None

    def hand_over(self, connection: socket.socket) -> None:
        """Tell a process that waits to write one."""
        socket.send_fds(connection, [_CAPTURE], [self._writer])
        self._close_writer()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._reader, self._begin)

    def accept(self, connection: socket.socket) -> None:
        """All has been said: it answers by the pipe."""
        connection.close()

    def decline(self, reason: str) -> None:
        """There will be none."""
        self._close_writer()
        if not self._result.done():
            self._result.set_exception(SnapshotRefused(reason))
        self.begun.set()

    async def result(self) -> Snapshot:
        """Wait for the image, the caller's from now on.

        Raises:
            SnapshotRefused: there is none.
        """
        return await asyncio.shield(self._result)

    def close(self) -> None:
        """Want none any more; may be called twice. Not needed after :meth:`result`."""
        self.decline("It is not wanted any more.")
        if not self._result.cancelled() and self._result.exception() is None:
            return
        if self._copying is None and self._reader >= 0:
            self._close_reader()

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._reader)
        # An event loop may have changed that.
        os.set_blocking(self._reader, True)
        self.begun.set()
        self._copying = loop.create_task(self._copy())

    async def _copy(self) -> None:
        try:
            snapshot = await asyncio.to_thread(_receive, self._reader, self._directory, self._most)
        except (SnapshotRefused, OSError) as error:
            self.decline(str(error))
        else:
            if self._result.done():
                snapshot.close()
            else:
                self._result.set_result(snapshot)
        finally:
            self._close_reader()

    def _close_writer(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1

    def _close_reader(self) -> None:
        if self._reader >= 0:
            asyncio.get_running_loop().remove_reader(self._reader)
            os.close(self._reader)
            self._reader = -1


@dataclass(frozen=True, slots=True)
class RestoreOutcome:
    """How a process got its function.

    Attributes:
        restored: from the snapshot; otherwise it was initialised.
        reason: why not; empty as long as the process has not said.
        hooks_s: how long the hooks took that run after a restore; 0 until they have run.
    """

    restored: bool
    reason: str = ""
    hooks_s: float = 0.0


class Restore:
    """One use of a snapshot: handed to the runtime of one environment.

    Mutable: the connection by which the process says how it went.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._connection: socket.socket | None = None
        self._said = b""
        self._declined = "It has not begun."

    def hand_over(self, connection: socket.socket) -> None:
        """Tell a process that waits to take the snapshot on."""
        self._snapshot.send(connection)

    @property
    def gone(self) -> bool:
        """Whether the snapshot has been given up meanwhile."""
        return self._snapshot.closed

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Yield a descriptor of the snapshot, which must not be gone, for a program to start."""
        copy = os.dup(self._snapshot.descriptor)
        try:
            yield copy
        finally:
            os.close(copy)

    def accept(self, connection: socket.socket) -> None:
        """All has been said: it answers by the same connection."""
        connection.shutdown(socket.SHUT_WR)
        self._connection = connection

    def decline(self, reason: str) -> None:
        """It cannot be used here."""
        self._declined = reason

    def outcome(self) -> RestoreOutcome:
        """What the process has said so far: all, once it waits for an event."""
        if self._connection is None:
            return RestoreOutcome(restored=False, reason=self._declined)
        try:
            # A process is believed that it was restored: it lies about nobody but itself.
            while len(self._said) < _REASON_BYTES and (
                piece := self._connection.recv(_REASON_BYTES)
            ):
                self._said += piece
        except (BlockingIOError, ConnectionError):
            pass
        said, rest = self._said[:1], self._said[1:]
        if said == _RESTORED:
            hooks_ns = int.from_bytes(rest[:8], "big") if len(rest) >= 8 else 0
            return RestoreOutcome(restored=True, hooks_s=hooks_ns / 1e9)
        reason = _text(rest) if said == _INITIALISED else ""
        return RestoreOutcome(restored=False, reason=reason)

    def close(self) -> None:
        """Hear nothing more; may be called twice."""
        if self._connection is not None:
            self._connection.close()


def _receive(reader: int, directory: Path, most: int) -> Snapshot:
    """Copy what comes by a pipe into a file without a name, and look at its end."""
    # Only the daemon's user can open it for writing again, and none by name.
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        descriptor = file.fileno()
        os.fchmod(descriptor, 0o400)
        size = 0
        while (copied := os.splice(reader, descriptor, _PIPE_BYTES)) > 0:
            size += copied
            if size > most:
                raise SnapshotRefused("The function uses too much memory for a snapshot.")
        tail = os.pread(descriptor, _TAIL.size, max(size - _TAIL.size, 0))
        magic = tail[-16:]
        if magic == _REFUSED:
            length = min(_TAIL.unpack(tail)[1], size - _TAIL.size, _REASON_BYTES)
            end = size - _TAIL.size
            raise SnapshotRefused(_text(os.pread(descriptor, length, end - length)))
        if magic != _COMPLETE:
            raise SnapshotRefused("The function's process ended while it was written.")
        return Snapshot(os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC), size)


def _text(data: bytes) -> str:
    text = data[:_REASON_BYTES].decode(errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)
