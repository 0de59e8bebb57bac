"""What a daemon holds on its host, and could leave behind."""

from __future__ import annotations

import os
import select
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lambdad.sandbox.firewall import instance_of, interface_prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What can leak, as sets of names, so that a difference says what it is.

    Attributes:
        ready: names of the control groups of what is made ahead and has no process yet; each of
            them has its loop device and its link.
        descriptors: of the daemon, 0 when none is given.
        resident_kib: of the daemon, 0 when none is given.
    """

    processes: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    loops: frozenset[str]
    links: frozenset[str]
    ready: frozenset[str] = frozenset()
    descriptors: int = 0
    resident_kib: int = 0

    def beyond(self, before: Holdings) -> dict[str, frozenset[str]]:
        """What is there now and was not before; an empty dict when nothing leaked."""
        kinds = ("processes", "mounts", "cgroups", "loops", "links")
        extra = {kind: getattr(self, kind) - getattr(before, kind) for kind in kinds}
        return {kind: names for kind, names in extra.items() if names}

    @property
    def taken(self) -> tuple[int, int]:
        """How many loop devices and links belong to something else than what is made ahead."""
        return len(self.loops) - len(self.ready), len(self.links) - len(self.ready)


def holdings(data_dir: Path, pid: int | None = None) -> Holdings:
    """Look for what belongs to the daemon of a data directory; other daemons do not count."""
    # As the native backend names itself; the other backends hold nothing of these kinds.
    instance = instance_of(data_dir.absolute() / "sandbox" / "native")
    cgroups = [path for path, _, _ in os.walk("/sys/fs/cgroup") if f"/lambdad/{instance}" in path]
    prefix = interface_prefix(instance)
    return Holdings(
        processes=frozenset(_members(cgroups)),
        mounts=frozenset(_mentioning(Path("/proc/self/mounts").read_text(), data_dir)),
        cgroups=frozenset(cgroups),
        loops=frozenset(_loops(data_dir)),
        links=frozenset(link.name for link in Path("/sys/class/net").glob(f"{prefix}*")),
        ready=_ready(cgroups),
        descriptors=0 if pid is None else len(list(Path(f"/proc/{pid}/fd").iterdir())),
        resident_kib=0 if pid is None else _resident_kib(pid),
    )


def below(pid: int) -> list[int]:
    """Numbers of all processes below one."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text().rpartition(")")[2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(after_name.split()[1]), []).append(int(entry.name))
    found, seen = [pid], 0
    while seen < len(found):
        found.extend(parents.get(found[seen], ()))
        seen += 1
    return found[1:]


def descendants(pid: int) -> list[int]:
    """File descriptors (pidfds) of all processes below one; close them by :func:`await_exit`."""
    pidfds = []
    for child in below(pid):
        with suppress(ProcessLookupError):  # ended meanwhile
            pidfds.append(os.pidfd_open(child))
    return pidfds


def await_exit(pidfds: Iterable[int], timeout_s: float = 10.0) -> int:
    """Wait until all processes have ended; returns how many have not."""
    left = set(pidfds)
    poller = select.poll()
    for pidfd in left:
        poller.register(pidfd, select.POLLIN)
    while left:
        ended = poller.poll(timeout_s * 1000)
        if not ended:
            break
        for pidfd, _ in ended:
            poller.unregister(pidfd)
            left.discard(pidfd)
    for pidfd in pidfds:
        os.close(pidfd)
    return len(left)


def _members(cgroups: Iterable[str]) -> Iterable[str]:
    for cgroup in cgroups:
        try:
            yield from Path(cgroup, "cgroup.procs").read_text().split()
        except OSError:  # removed meanwhile
            continue


def _ready(cgroups: Sequence[str]) -> frozenset[str]:
    groups = [Path(cgroup) for cgroup in cgroups if Path(cgroup).name.startswith("ready-")]
    taken = {group.name for group in groups if list(_members([str(group)]))}
    return frozenset(group.name for group in groups) - taken


def _loops(data_dir: Path) -> Iterable[str]:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            text = backing.read_text()
        except OSError:  # detached meanwhile
            continue
        yield from _mentioning(text, data_dir)


def _mentioning(text: str, data_dir: Path) -> list[str]:
    return [line for line in text.splitlines() if str(data_dir) in line]


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
