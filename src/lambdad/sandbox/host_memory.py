"""How much memory this host has for environments, and how much of it is left.

Reads what the kernel says of the machine and of the control groups the daemon runs in, both
versions. What may be done with it is decided elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MIB = 1024 * 1024
# For the daemon, the kernel and whatever else runs here: a tenth, within these bounds.
_RESERVE_SHARE = 10
_RESERVE_MIN, _RESERVE_MAX = 384 * _MIB, 4096 * _MIB
# On a small host it is never more than this part of all.
_RESERVE_MOST = 3

_LIMITS = ("memory.limit_in_bytes", "memory.max")
_FIRST_LINES_BYTES = 256
_USAGES = ("memory.usage_in_bytes", "memory.current")


class HostMemory:
    """The memory of this host.

    Args:
        root: where `/proc` and `/sys` are.

    Attributes:
        total: bytes of the host or of the daemon's control group, whichever is less.
        reserve: bytes of them that are not for environments.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._meminfo = root / "proc/meminfo"
        self._groups = list(_limited_groups(root))
        limits = [limit for _, limit in self._groups]
        self.total = min([_meminfo(self._meminfo, b"MemTotal:"), *limits])
        reserve = min(max(self.total // _RESERVE_SHARE, _RESERVE_MIN), _RESERVE_MAX)
        self.reserve = min(reserve, self.total // _RESERVE_MOST)

    def available(self) -> int:
        """Bytes that could be used at this moment without swapping."""
        left = [_meminfo(self._meminfo, b"MemAvailable:")]
        for group, limit in self._groups:
            usage = next((number for name in _USAGES if (number := _number(group / name))), 0)
            left.append(limit - usage + _inactive_file(group / "memory.stat"))
        return max(0, min(left))


def _limited_groups(root: Path) -> Iterator[tuple[Path, int]]:
    """The groups that this process is in and that limit memory, with their limits."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            tops = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif "memory" in controllers.split(","):
            tops = [root / "sys/fs/cgroup/memory"]
        else:
            continue
        for top in tops:
            # In a container its own group is the top, whatever path it has outside.
            inner = top / group.lstrip("/")
            yield from _limits_upwards(inner if inner.is_dir() else top, top)


def _limits_upwards(group: Path, top: Path) -> Iterator[tuple[Path, int]]:
    for directory in (group, *group.parents):
        for name in _LIMITS:
            # Version 1 says 2^63 less a page where there is no limit, version 2 `max`.
            if 0 < (limit := _number(directory / name)) < 2**60:
                yield directory, limit
        if directory == top:
            return


def _meminfo(path: Path, key: bytes) -> int:
    # Every new environment asks. Both are among the first lines of some fifty.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        text = os.read(descriptor, _FIRST_LINES_BYTES)
    finally:
        os.close(descriptor)
    _, found, rest = text.partition(key)
    return int(rest.split(None, 1)[0]) * 1024 if found else 0


def _inactive_file(path: Path) -> int:
    for line in _read(path).splitlines():
        if line.startswith(("total_inactive_file ", "inactive_file ")):
            return int(line.split()[1])
    return 0


def _number(path: Path) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
