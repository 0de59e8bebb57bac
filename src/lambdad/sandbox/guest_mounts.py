"""The mounts of one sandbox, made in its own mount namespace, over the shared root.

Runs in the sandbox's process before it gives up its privileges. Standard library only.
"""

# pathlib is not loaded into the launcher.
# ruff: noqa: PTH102, PTH103, PTH112, PTH116
# ruff: noqa: PTH120, PTH208

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from lambdad.sandbox import syscalls

_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NODEV
# World-readable and the host's; all else there is for root alone, or the sandbox's own.
MASKED = ("/proc/keys", "/proc/key-users", "/proc/kallsyms", "/proc/modules")


def attach(fd: int, target: str) -> None:
    """Put a detached mount at `target` and close its descriptor."""
    syscalls.move_mount(fd, target)
    os.close(fd)


def attach_all(descriptors: Sequence[int], targets: Sequence[str]) -> None:
    """Put each mount at its target, parents before children.

    A target that does not exist is made where nothing would be hidden by it: in an empty
    directory of the shared root. Below another mount it must exist, for that is read-only.

    Raises:
        OSError: there is no such place.
    """
    scaffolds: list[str] = []
    for fd, target in zip(descriptors, targets):  # noqa: B905 - in Python 3.9 as well
        if not os.path.lexists(target):
            scaffold = _make_target(target, is_directory=stat.S_ISDIR(os.fstat(fd).st_mode))
            if scaffold:
                scaffolds.append(scaffold)
        attach(fd, target)
    flags = _FLAGS | syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY
    for scaffold in scaffolds:
        syscalls.mount("none", scaffold, "", flags)


def _make_target(target: str, *, is_directory: bool) -> str | None:
    """Make `target`, in a small file system of its own if need be; return where that is."""
    ancestor = os.path.dirname(target)
    while not os.path.isdir(ancestor):
        ancestor = os.path.dirname(ancestor)
    scaffold = None
    if not os.access(ancestor, os.W_OK):
        if os.stat(ancestor).st_dev != os.stat("/").st_dev or os.listdir(ancestor):
            number, why = 2, "it does not exist, and its directory is read-only"
            raise OSError(number, f"cannot mount on {target}: {why}")
        syscalls.mount("tmpfs", ancestor, "tmpfs", _FLAGS, "size=256k,mode=0755")
        scaffold = ancestor
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if is_directory:
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    return scaffold
