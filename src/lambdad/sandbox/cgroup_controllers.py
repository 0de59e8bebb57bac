"""The files of each controller, in cgroup v1 and v2. One class per controller and version.

Values are bytes and shares of a processor; which group is meant is a directory given by
`lambdad.sandbox.cgroups`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

_PERIOD_US = 100_000
# The kernel refuses less.
_QUOTA_MIN_US = 1_000
# v1 counts the buffers of Internet sockets by themselves; they get so much of the memory on top.
_SOCKETS_SHARE = 4
# Weight of a group without a quota: what starts or dies is not to wait for a busy host.
_UNLIMITED_VCPUS = 4
_SHARES_PER_VCPU, _SHARES_MIN, _SHARES_MAX = 1_024, 2, 262_144
_WEIGHT_PER_VCPU, _WEIGHT_MIN, _WEIGHT_MAX = 100, 1, 10_000


def write(path: Path, value: str) -> None:
    """Write a control file in one system call, so that the kernel's answer is seen."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _number(path: Path, key: str = "") -> int:
    """Return the number in a file, or the one after `key`; 0 when there is none."""
    try:
        text = path.read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        words = line.split()
        if not key and words and words[0].isdigit():
            return int(words[0])
        if len(words) == 2 and words[0] == key:
            return int(words[1])
    return 0


class Memory(Protocol):
    """Memory of a group, page cache and kernel memory included, swap not given."""

    def limit(self, size_bytes: int) -> None:
        """Set the most that may be in use."""
        ...

    def oom_kills(self) -> int:
        """How many processes were killed for memory since the group was made."""
        ...

    def peak(self) -> int:
        """Most bytes in use at once."""
        ...

    def reset_peak(self) -> None:
        """Start the peak anew."""
        ...

    def usage(self) -> int:
        """Bytes in use."""
        ...

    def kept(self) -> int:
        """Bytes in use that cannot be had back by dropping caches of files."""
        ...

    def close(self) -> None:
        """Close what is held open."""
        ...


class MemoryV1:
    """The memory controller of v1. Mutable: the limit in force, once it was set, and open files."""

    def __init__(self, directory: Path) -> None:
        self._limit = directory / "memory.limit_in_bytes"
        self._limit_with_swap = directory / "memory.memsw.limit_in_bytes"
        self._sockets = directory / "memory.kmem.tcp.limit_in_bytes"
        self._usage = directory / "memory.usage_in_bytes"
        self._stat = directory / "memory.stat"
        self._oom = directory / "memory.oom_control"
        self._peak = directory / "memory.max_usage_in_bytes"
        self._peak_fd: int | None = None
        self._in_force = 0
        self._limited: Sequence[Path] = ()
        self._counts_sockets = False

    def limit(self, size_bytes: int) -> None:
        """See :class:`Memory`."""
        if not self._limited:
            self._in_force = _number(self._limit)
            has_swap = self._limit_with_swap.exists()
            self._limited = (self._limit_with_swap, self._limit) if has_swap else (self._limit,)
            self._counts_sockets = self._sockets.exists()
        # Memory may at no time exceed memory plus swap: raise that first, lower it last.
        lower = size_bytes < self._in_force
        for path in reversed(self._limited) if lower else self._limited:
            write(path, str(size_bytes))
        self._in_force = size_bytes
        if self._counts_sockets:
            # Without it the buffers of Internet sockets count nowhere: a function could fill what
            # all of the host has for TCP.
            write(self._sockets, str(size_bytes // _SOCKETS_SHARE))

    def oom_kills(self) -> int:
        """See :class:`Memory`."""
        return _number(self._oom, "oom_kill")

    def peak(self) -> int:
        """See :class:`Memory`."""
        try:
            # Once per invocation: worth an open file.
            if self._peak_fd is None:
                self._peak_fd = os.open(self._peak, os.O_RDONLY | os.O_CLOEXEC)
            return int(os.pread(self._peak_fd, 32, 0))
        except OSError:
            return 0

    def reset_peak(self) -> None:
        """See :class:`Memory`."""
        write(self._peak, "0")

    def usage(self) -> int:
        """See :class:`Memory`."""
        return _number(self._usage)

    def kept(self) -> int:
        """See :class:`Memory`."""
        return _kept(self._usage, self._stat)

    def close(self) -> None:
        """See :class:`Memory`."""
        if self._peak_fd is not None:
            os.close(self._peak_fd)
            self._peak_fd = None


class MemoryV2:
    """The memory controller of v2."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._peak_fd: int | None = None

    def limit(self, size_bytes: int) -> None:
        """See :class:`Memory`."""
        write(self._directory / "memory.max", str(size_bytes))
        swap = self._directory / "memory.swap.max"
        if swap.exists():
            write(swap, "0")

    def oom_kills(self) -> int:
        """See :class:`Memory`."""
        return _number(self._directory / "memory.events", "oom_kill")

    def peak(self) -> int:
        """See :class:`Memory`. Linux before 5.19 does not know; then it is 0."""
        try:
            return int(os.pread(self._open_peak(), 32, 0))
        except OSError:
            return 0

    def reset_peak(self) -> None:
        """See :class:`Memory`. Before Linux 6.12 the peak is that of the whole life."""
        try:
            # The reset is valid for this open file alone, so it stays open.
            os.pwrite(self._open_peak(), b"reset", 0)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EBADF, errno.EINVAL, errno.ENOENT):
                raise

    def _open_peak(self) -> int:
        """Open the file once: it is read for each invocation. Before Linux 6.12 it is read-only."""
        if self._peak_fd is None:
            path = self._directory / "memory.peak"
            try:
                self._peak_fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except PermissionError:
                self._peak_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self._peak_fd

    def usage(self) -> int:
        """See :class:`Memory`."""
        return _number(self._directory / "memory.current")

    def kept(self) -> int:
        """See :class:`Memory`."""
        return _kept(self._directory / "memory.current", self._directory / "memory.stat")

    def close(self) -> None:
        """See :class:`Memory`."""
        if self._peak_fd is not None:
            os.close(self._peak_fd)
            self._peak_fd = None


def _kept(usage: Path, stat: Path) -> int:
    return _number(usage) - _number(stat, "inactive_file") - _number(stat, "active_file")


class Cpu(Protocol):
    """Processor time of a group."""

    def begin(self) -> None:
        """The group has just been made: it has no limit."""
        ...

    def limit(self, vcpus: float | None) -> None:
        """Give at most so many processors' time, in periods of 100 ms; None: as there is."""
        ...


class CpuV1:
    """The cpu controller of v1."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._quota: int | None = None

    def begin(self) -> None:
        """See :class:`Cpu`."""
        self._quota = -1

    def limit(self, vcpus: float | None) -> None:
        """See :class:`Cpu`."""
        shares = round((vcpus or _UNLIMITED_VCPUS) * _SHARES_PER_VCPU)
        shares = max(_SHARES_MIN, min(_SHARES_MAX, shares))
        write(self._directory / "cpu.shares", str(shares))
        quota = -1 if vcpus is None else _quota_us(vcpus)
        path = self._directory / "cpu.cfs_quota_us"
        # To write it takes more than 100 microseconds, whatever it was before.
        if quota != self._quota and path.exists():
            write(path, str(quota))
        self._quota = quota


class CpuV2:
    """The cpu controller of v2."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self) -> None:
        """See :class:`Cpu`. Nothing is taken for granted."""

    def limit(self, vcpus: float | None) -> None:
        """See :class:`Cpu`."""
        weight = round((vcpus or _UNLIMITED_VCPUS) * _WEIGHT_PER_VCPU)
        weight = max(_WEIGHT_MIN, min(_WEIGHT_MAX, weight))
        write(self._directory / "cpu.weight", str(weight))
        most = self._directory / "cpu.max"
        if most.exists():
            quota = "max" if vcpus is None else str(_quota_us(vcpus))
            write(most, f"{quota} {_PERIOD_US}")


def _quota_us(vcpus: float) -> int:
    return max(_QUOTA_MIN_US, round(vcpus * _PERIOD_US))


class Pids:
    """Processes and threads of a group; the same file in both versions."""

    def __init__(self, directory: Path) -> None:
        self._most = directory / "pids.max"

    def limit(self, processes: int) -> None:
        """Allow so many, threads included."""
        write(self._most, str(processes))


class Freezer(Protocol):
    """Stops the processes of a group, and ends them."""

    def freeze(self) -> None:
        """Stop them."""
        ...

    def thaw(self) -> None:
        """Let them go on; harmless when they do."""
        ...

    def kill(self) -> None:
        """Kill them all at once, where the kernel can."""
        ...

    def close(self) -> None:
        """Close what is held open."""
        ...


class FreezerV2:
    """`cgroup.freeze` and `cgroup.kill`, which every v2 group has but the root.

    What is frozen so dies of SIGKILL, as v1's frozen processes do not.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fd: int | None = None

    def freeze(self) -> None:
        """See :class:`Freezer`."""
        self._write(b"1")

    def thaw(self) -> None:
        """See :class:`Freezer`."""
        self._write(b"0")

    def _write(self, value: bytes) -> None:
        # Twice per invocation: worth an open file.
        if self._fd is None:
            path = self._directory / "cgroup.freeze"
            self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.write(self._fd, value)

    def kill(self) -> None:
        """See :class:`Freezer`."""
        try:
            write(self._directory / "cgroup.kill", "1")
        except FileNotFoundError:
            # Before Linux 5.14 the caller's signals have to do.
            return

    def close(self) -> None:
        """See :class:`Freezer`."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class FreezerV1:
    """The freezer controller of v1."""

    def __init__(self, directory: Path) -> None:
        self._state = directory / "freezer.state"

    def freeze(self) -> None:
        """See :class:`Freezer`."""
        write(self._state, "FROZEN")

    def thaw(self) -> None:
        """See :class:`Freezer`."""
        write(self._state, "THAWED")

    def kill(self) -> None:
        """See :class:`Freezer`. v1 cannot; frozen processes must be thawed to die."""

    def close(self) -> None:
        """See :class:`Freezer`."""


class NoFreezer:
    """A host without any freezer: idle functions keep running."""

    def freeze(self) -> None:
        """See :class:`Freezer`."""

    def thaw(self) -> None:
        """See :class:`Freezer`."""

    def kill(self) -> None:
        """See :class:`Freezer`."""

    def close(self) -> None:
        """See :class:`Freezer`."""


# Of v1 and v2.
MEMORY: tuple[Callable[[Path], Memory], Callable[[Path], Memory]] = (MemoryV1, MemoryV2)
CPU: tuple[Callable[[Path], Cpu], Callable[[Path], Cpu]] = (CpuV1, CpuV2)
PIDS: tuple[Callable[[Path], Pids], Callable[[Path], Pids]] = (Pids, Pids)
