"""Mounts put into a sandbox that stands already, from outside.

Nothing inside has the power to mount; so a thread of the daemon visits the sandbox's mount
namespace for the time of that one system call. What it mounts are detached views, so that it
looks up no path there but the target.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import syscalls


class Injector:
    """The visiting thread.

    State: `_home`, a descriptor of the daemon's own mount namespace, from the first visit on.
    """

    def __init__(self) -> None:
        self._home: int | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mounts")

    def mount(self, pidfd: int, mounts: Sequence[Mount]) -> Awaitable[None]:
        """Begin to show read-only views of host directories to the sandbox of a process.

        Args:
            pidfd: a process in the sandbox.
            mounts: parents before children; their targets exist.

        Returns:
            What to await for the end of it. Raises HostUnfit: a source does not exist, or the
            sandbox is gone.
        """
        return self._in_thread(self._mount, pidfd, mounts)

    def attach(self, pidfd: int, mount: int, target: str) -> Awaitable[None]:
        """Show the detached mount of a descriptor, which stays open; as :meth:`mount`."""
        return self._in_thread(self._visit, pidfd, [mount], [target])

    def _in_thread(self, work: Callable[..., None], *arguments: object) -> Awaitable[None]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, _explained, work, *arguments)

    def _mount(self, pidfd: int, mounts: Sequence[Mount]) -> None:
        views: list[int] = []
        try:
            for mount in mounts:
                views.append(syscalls.read_only_tree(str(mount.source)))  # noqa: PERF401 - closed
            self._visit(pidfd, views, [mount.target for mount in mounts])
        finally:
            for view in views:
                os.close(view)

    def _visit(self, pidfd: int, views: Sequence[int], targets: Sequence[str]) -> None:
        if self._home is None:
            # A thread may only change its mount namespace if it shares its root with no other.
            syscalls.unshare(syscalls.CLONE_FS)
            self._home = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(pidfd, syscalls.CLONE_NEWNS)
        try:
            for view, target in zip(views, targets, strict=True):
                syscalls.move_mount(view, target)
        finally:
            syscalls.setns(self._home, syscalls.CLONE_NEWNS)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()
        if self._home is not None:
            os.close(self._home)
            self._home = None


def _explained(work: Callable[..., None], *arguments: object) -> None:
    try:
        work(*arguments)
    except OSError as error:
        why = error.strerror or str(error)
        raise HostUnfit(f"A sandbox cannot be given its files: {why}.", "Retry.") from error
