"""Mounts put into a sandbox that stands already, from outside.

Nothing inside has the power to mount; so a thread of the daemon visits the sandbox's mount
namespace for the time of that one system call. What it mounts are detached views, so that it
looks up no path there but the target. It is the thread that asks: the visit takes some 50
microseconds, and handing it to another thread would take more than twice that.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import syscalls


class Injector:
    """Visits sandboxes, from one thread.

    State: `_home`, from the first visit on: descriptors of the daemon's own mount namespace, of
    its root there, and of its working directory.
    """

    def __init__(self) -> None:
        self._home: tuple[int, int, int] | None = None

    def mount(self, pidfd: int, mounts: Sequence[Mount]) -> None:
        """Show read-only views of host directories to the sandbox of a process.

        Args:
            pidfd: a process in the sandbox.
            mounts: parents before children; their targets exist.

        Raises:
            HostUnfit: a source does not exist, or the sandbox is gone.
        """
        views: list[int] = []
        try:
            for mount in mounts:
                views.append(syscalls.read_only_tree(str(mount.source)))  # noqa: PERF401 - closed
            with self._away(pidfd):
                for view, mount in zip(views, mounts, strict=True):
                    syscalls.move_mount(view, mount.target)
        except OSError as error:
            why = error.strerror or str(error)
            raise HostUnfit(f"A sandbox cannot be given its files: {why}.", "Retry.") from error
        finally:
            for view in views:
                os.close(view)

    @contextmanager
    def _away(self, pidfd: int) -> Iterator[None]:
        """Be in the mount namespace of a process, where nothing may look up a path of its own."""
        # A thread may only change its mount namespace if it shares its root with no other, and
        # each that it starts shares it again.
        syscalls.unshare(syscalls.CLONE_FS)
        if self._home is None:
            self._home = _here()
        # Finalizers are others' code.
        collecting = gc.isenabled()
        gc.disable()
        try:
            syscalls.setns(pidfd, syscalls.CLONE_NEWNS)
            yield
        finally:
            _return(*self._home)
            if collecting:
                gc.enable()

    def close(self) -> None:
        """Forget the way home; nothing is mounted any more."""
        for fd in self._home or ():
            os.close(fd)
        self._home = None


def _here() -> tuple[int, int, int]:
    places = ("/proc/thread-self/ns/mnt", "/", ".")
    return tuple(os.open(place, os.O_RDONLY | os.O_CLOEXEC) for place in places)  # type: ignore[return-value]


def _return(namespace: int, root: int, directory: int) -> None:
    try:
        syscalls.setns(namespace, syscalls.CLONE_NEWNS)
        # To enter a namespace leads to its root.
        os.fchdir(root)
        os.chroot(".")
        os.fchdir(directory)
    except OSError:
        # SECURITY: every path that this process looks up from now on would be a sandbox's.
        os.abort()
