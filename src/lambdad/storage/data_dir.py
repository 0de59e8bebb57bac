"""The data directory and the lock that gives it to one process.

Decides who may write below the directory; knows nothing of what is kept there.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lambdad.domain.errors import HostUnfit

LOCK_NAME = "lambdad.lock"

# Traversable but not listable: sandboxes of an unprivileged backend reach the unpacked packages,
# whose names they were told, and nothing else.
DIRECTORY_MODE = 0o711
FILE_MODE = 0o600

# POSIX locks are held by the process, so the kernel lets one process lock a file twice.
_held_here: set[Path] = set()


class DataDir:
    """Exclusive use of a data directory, from :meth:`acquire` to :meth:`release`.

    A POSIX record lock: unlike one made with `flock` it is not inherited by children, so it ends
    with the daemon even if a sandbox outlives it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Make the directory if it is missing and lock it.

        Raises:
            HostUnfit: it cannot be written, or a living process holds it.
        """
        lock = self.path / LOCK_NAME
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
            if self.path.resolve() in _held_here:
                raise self._taken(os.getpid())
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise HostUnfit(
                f"The data directory {self.path} cannot be used: {error.strerror}.",
                "Make it writable for the user that runs lambdad, or name another one.",
            ) from error
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise self._taken(holder or "unknown") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor
        _held_here.add(self.path.resolve())

    def release(self) -> None:
        """Unlock; may be called twice. The file stays: removing it would race with a newcomer."""
        if self._descriptor is not None:
            _held_here.discard(self.path.resolve())
            os.close(self._descriptor)
            self._descriptor = None

    def _taken(self, holder: int | str) -> HostUnfit:
        return HostUnfit(
            f"The data directory {self.path} is in use by process {holder}.",
            "Stop that lambdad first, or give this one another data directory.",
        )


def private_directory(path: Path) -> Path:
    """Make the data directory; it holds customers' code and is nobody else's business."""
    path = path.absolute()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
