"""Processes by descent: stop, continue, kill and weigh all that come from one process.

For sandboxes without cgroups. A process whose parent has died goes to the nearest ancestor that
adopts orphans (a PID 1, or a subreaper), so below such a one nothing is ever lost from sight. Only
Linux's `/proc` is read; a process that ends meanwhile is no error.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# A tree that grows faster than it is walked so often is not caught.
_ROUNDS = 32


def descendants(pid: int) -> list[int]:
    """Return the process ids of all descendants, parents before children."""
    found: list[int] = []
    pending = [pid]
    while pending:
        children = list(_children(pending.pop()))
        found += children
        pending += children
    return found


def stop(pid: int) -> None:
    """Stop all descendants, with those that are born while this runs."""
    _signal_all(pid, signal.SIGSTOP)


def resume(pid: int) -> None:
    """Let all descendants go on."""
    for descendant in descendants(pid):
        send(descendant, signal.SIGCONT)


def kill(pid: int) -> None:
    """Kill all descendants, with those that are born while this runs."""
    _signal_all(pid, signal.SIGKILL)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended, or be out of reach."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def memory_bytes(pid: int) -> int:
    """Estimate the memory that all descendants use together.

    What they share (programs and libraries above all) counts once: the largest share.
    """
    private = shared = 0
    for descendant in descendants(pid):
        try:
            fields = (_PROC / str(descendant) / "statm").read_bytes().split()
        except OSError:
            continue
        private += int(fields[1]) - int(fields[2])
        shared = max(shared, int(fields[2]))
    return (private + shared) * _PAGE_BYTES


def peak_bytes(pid: int) -> int:
    """Return the most memory that one process has used at once, by the kernel's own count."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    sizes = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return next(sizes, 0) * 1024


def forget_peak(pid: int) -> bool:
    """Let the kernel count one process's peak anew; False if it may not be asked to."""
    try:
        (_PROC / str(pid) / "clear_refs").write_text("5")
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def limit_data(pid: int, size: int) -> None:
    """Set how much memory of its own one process may have, as far as we may; in bytes."""
    with contextlib.suppress(OSError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
        within = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.prlimit(pid, resource.RLIMIT_DATA, (within, hard))


def with_variable(variable: str) -> Iterator[int]:
    """Find processes that were started with `NAME=value` in their environment."""
    return _started_with("environ", variable)


def with_argument(argument: str) -> Iterator[int]:
    """Find processes that were started with an argument."""
    return _started_with("cmdline", argument)


def _started_with(file: str, text: str) -> Iterator[int]:
    wanted = text.encode(errors="surrogateescape")
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / file).read_bytes().split(b"\0"):
                    yield int(entry.name)


def _signal_all(pid: int, number: signal.Signals) -> None:
    seen: set[int] = set()
    for _ in range(_ROUNDS):
        new = [descendant for descendant in descendants(pid) if descendant not in seen]
        if not new:
            return
        for descendant in new:
            send(descendant, number)
        seen.update(new)


def _children(pid: int) -> Iterator[int]:
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are all we want
            yield from map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    except OSError:
        # It has ended; its children have come to whoever adopts.
        return
