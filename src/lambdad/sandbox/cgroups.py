"""Control groups of sandboxes: which hierarchies this host has, and one group per sandbox in each.

Three layouts are served by one abstraction: each controller in a v1 hierarchy of its own (or
two together), everything in v2, and the hybrid of both. Every controller is looked for by itself,
v1 first because a controller is in one hierarchy only; freezing and killing go to a v2 tree
wherever one is mounted, with controllers or without. What the files of a controller are called
is known to `lambdad.sandbox.cgroup_controllers`.

Layout: `<hierarchy>/lambdad/<instance>/<environment id>`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import cgroup_controllers as controllers
from lambdad.sandbox.cgroup_delegation import hand_down

_LOG = logging.getLogger(__name__)
_Knob = TypeVar("_Knob")
_WANTED = ("memory", "cpu", "pids")
_V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids", "freezer")
_SUBTREE = "lambdad"
_NEVER_SET = -1.0
_REMOVE_ATTEMPTS = 400
_REMOVE_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """Where controllers can be used.

    Attributes:
        v1: mount point by controller.
        v2: where groups of the v2 tree may be made, or None.
        v2_controllers: controllers available there.
    """

    v1: Mapping[str, Path]
    v2: Path | None
    v2_controllers: frozenset[str]

    @classmethod
    def of_this_process(cls) -> Hierarchies:
        """Return what this process can see."""
        proc = Path("/proc/self")
        return cls.discover((proc / "mountinfo").read_text(), (proc / "cgroup").read_text())

    @classmethod
    def discover(cls, mountinfo: str, own_cgroup: str = "0::/\n") -> Hierarchies:
        """Read `/proc/self/mountinfo` and `/proc/self/cgroup`."""
        v1: dict[str, Path] = {}
        v2: Path | None = None
        for mount_point, kind, options in _mounts(mountinfo):
            if kind == "cgroup2" and v2 is None:
                v2 = _delegated(mount_point, own_cgroup) or mount_point
            elif kind == "cgroup":
                for controller in options & set(_V1_CONTROLLERS):
                    v1.setdefault(controller, mount_point)
        known = frozenset[str]()
        if v2 is not None:
            known = frozenset(_read(v2 / "cgroup.controllers").split())
        return cls(v1, v2, known)

    @property
    def version(self) -> str:
        """How this is called: `cgroup v1`, `cgroup v2`, `cgroup v1 + v2` or `none`."""
        names = [name for name, there in (("v1", self.v1), ("v2", self.v2)) if there]
        return "cgroup " + " + ".join(names) if names else "none"


def _mounts(mountinfo: str) -> Iterator[tuple[Path, str, set[str]]]:
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, tail = before.split(" "), after.split(" ")
        if len(fields) < 6 or len(tail) < 3 or "ro" in fields[5].split(","):
            continue
        mount_point = fields[4].encode().decode("unicode_escape")
        yield Path(mount_point), tail[0], set(tail[2].split(","))


def _delegated(mount_point: Path, own_cgroup: str) -> Path | None:
    """Return this process's own group if a service manager has handed it over."""
    for line in own_cgroup.splitlines():
        if line.startswith("0::"):
            group = mount_point / line[3:].lstrip("/")
            for attribute in ("trusted.delegate", "user.delegate"):
                try:
                    if os.getxattr(group, attribute) == b"1":
                        return group
                except OSError:
                    continue
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


class CgroupTree:
    """All groups of one daemon.

    Args:
        hierarchies: of this host.
        instance: name of the daemon.
    """

    def __init__(self, hierarchies: Hierarchies, instance: str) -> None:
        self.hierarchies = hierarchies
        self._instance = instance
        self._v2_usable = frozenset[str]()

    def open(self) -> None:
        """Make the daemon's groups and hand controllers down to them.

        Raises:
            HostUnfit: no hierarchy can be written to.
        """
        try:
            for base in self._bases():
                base.mkdir(parents=True, exist_ok=True)
            self._enable_v2_controllers()
        except OSError as error:
            raise HostUnfit(
                f"Control groups cannot be made: {error}.",
                "Run lambdad as root with a writable /sys/fs/cgroup.",
            ) from error

    def limit_memory(self, size_bytes: int) -> None:
        """Give all environments together no more; whose process is biggest loses it at the end.

        Raises:
            OSError: the host refused.
        """
        v1 = {name: self._base(root) for name, root in self.hierarchies.v1.items()}
        v2 = self._base(self.hierarchies.v2) if self.hierarchies.v2 else None
        memory = _choose(controllers.MEMORY, "memory", v1, v2, self._v2_usable)
        if memory is not None:
            memory.limit(size_bytes)

    def close(self) -> None:
        """Remove the daemon's groups; what is not empty stays for the next start's sweep."""
        for base in self._bases():
            for directory in (base, base.parent):
                try:
                    directory.rmdir()
                except OSError:
                    break

    def has(self, controller: str) -> bool:
        """Whether `memory`, `cpu`, `pids` can be limited here; valid after :meth:`open`."""
        return controller in self.hierarchies.v1 or controller in self._v2_usable

    def leftovers(self) -> set[str]:
        """Environment ids that have a group in any hierarchy."""
        return {
            entry.name
            for base in self._bases()
            if base.is_dir()
            for entry in base.iterdir()
            if entry.is_dir()
        }

    def group(self, environment_id: str) -> Cgroup:
        """Return the group of one environment; nothing is made yet."""
        v1 = {name: self._base(root) for name, root in self.hierarchies.v1.items()}
        v2 = self._base(self.hierarchies.v2) if self.hierarchies.v2 else None
        return Cgroup(
            {name: base / environment_id for name, base in v1.items()},
            v2 / environment_id if v2 else None,
            self._v2_usable,
        )

    def _base(self, root: Path) -> Path:
        return root / _SUBTREE / self._instance

    def _bases(self) -> list[Path]:
        roots = [*self.hierarchies.v1.values()]
        if self.hierarchies.v2:
            roots.append(self.hierarchies.v2)
        return [self._base(root) for root in dict.fromkeys(roots)]

    def _enable_v2_controllers(self) -> None:
        root = self.hierarchies.v2
        if root is None:
            return
        groups = (root, root / _SUBTREE, self._base(root))
        self._v2_usable = frozenset(
            name
            for name in _WANTED
            if name in self.hierarchies.v2_controllers
            and name not in self.hierarchies.v1
            and all(hand_down(group, name) for group in groups)
        )


class Cgroup:
    """The groups of one environment, all hierarchies together.

    Not thread-safe; `create`, `remove` and `kill_all` may block for milliseconds, the rest
    takes microseconds.
    """

    def __init__(
        self, v1: Mapping[str, Path], v2: Path | None, v2_controllers: frozenset[str]
    ) -> None:
        self._directories = list(dict.fromkeys([*v1.values(), *([v2] if v2 else [])]))
        self._memory = _choose(controllers.MEMORY, "memory", v1, v2, v2_controllers)
        self._cpu = _choose(controllers.CPU, "cpu", v1, v2, v2_controllers)
        self._pids = _choose(controllers.PIDS, "pids", v1, v2, v2_controllers)
        self._memory_bytes: int | None = None
        self._processes: int | None = None
        self._vcpus: float | None = None
        self._vcpus_in_force: float | None = _NEVER_SET
        self._freezer: controllers.Freezer
        if v2 is not None:
            self._freezer = controllers.FreezerV2(v2)
        elif "freezer" in v1:
            self._freezer = controllers.FreezerV1(v1["freezer"])
        else:
            self._freezer = controllers.NoFreezer()

    def create(self, limits: ResourceLimits, *, extra_memory_mb: int = 0) -> None:
        """Make the groups and set their limits.

        Args:
            limits: of the environment.
            extra_memory_mb: memory beyond the limit, for a `/tmp` that is in memory.

        Raises:
            OSError: the host refused; what was made is removed.
        """
        made: list[Path] = []
        try:
            for directory in self._directories:
                directory.mkdir()
                made.append(directory)
            if self._cpu:
                self._cpu.begin()
            self.set_limits(limits, extra_memory_mb=extra_memory_mb)
        except OSError:
            # Those of this call alone: what was there before is somebody's.
            for directory in made:
                directory.rmdir()
            raise

    def set_limits(self, limits: ResourceLimits, *, extra_memory_mb: int = 0) -> None:
        """Change limits, also of running processes.

        Raises:
            OSError: for example EBUSY when more memory is in use than would be allowed.
        """
        memory_bytes = (limits.memory_mb + extra_memory_mb) * 1024 * 1024
        # What is in force is not written again: that is most, in an environment that waited.
        if self._memory and memory_bytes != self._memory_bytes:
            self._memory.limit(memory_bytes)
            self._memory_bytes = memory_bytes
        self._vcpus = limits.vcpus
        self.throttle()
        if self._pids and limits.processes != self._processes:
            # PID 1 counts too.
            self._pids.limit(limits.processes + 1)
            self._processes = limits.processes

    def throttle(self) -> None:
        """Put the limit of processor time in force."""
        if self._cpu and self._vcpus != self._vcpus_in_force:
            self._cpu.limit(self._vcpus)
            self._vcpus_in_force = self._vcpus

    def unthrottle(self) -> None:
        """Lift it: processes that have used their share up could not even die before the next."""
        if self._cpu and self._vcpus_in_force is not None:
            self._cpu.limit(None)
            self._vcpus_in_force = None

    def open_procs(self) -> list[int]:
        """Return descriptors: a process that writes `0` to all of them is in the group."""
        opened: list[int] = []
        try:
            for directory in self._directories:
                opened.append(os.open(directory / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))  # noqa: PERF401
        except OSError:
            for fd in opened:
                os.close(fd)
            raise
        return opened

    def freeze(self) -> None:
        """Stop all processes."""
        self._freezer.freeze()

    def thaw(self) -> None:
        """Let them go on."""
        self._freezer.thaw()

    def oom_kills(self) -> int:
        """How many processes the kernel has killed here for memory."""
        return self._memory.oom_kills() if self._memory else 0

    def memory_peak(self) -> int:
        """Most bytes in use at once since creation or the last reset; 0 if unknown."""
        return self._memory.peak() if self._memory else 0

    def memory_usage(self) -> int:
        """Bytes in use; 0 if unknown."""
        return self._memory.usage() if self._memory else 0

    def memory_kept(self) -> int:
        """Bytes in use but for caches of files; 0 if unknown."""
        return self._memory.kept() if self._memory else 0

    def reset_memory_peak(self) -> None:
        """Start anew, as far as the kernel can."""
        if self._memory:
            self._memory.reset_peak()

    def kill_all(self) -> None:
        """Kill every process of the group, frozen ones too. Returns before they are gone.

        It may be there in part: whoever made or removed it may have died between two hierarchies.
        """
        self._freezer.kill()
        with contextlib.suppress(FileNotFoundError):
            self.thaw()
        for pid in self.pids():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue

    def pids(self) -> set[int]:
        """Return the processes of the group, by the host's numbers."""
        return {
            int(pid)
            for directory in self._directories
            for pid in _read(directory / "cgroup.procs").split()
        }

    def close(self) -> None:
        """Close what is held open; the groups stay."""
        self._freezer.close()
        if self._memory:
            self._memory.close()

    def remove(self) -> bool:
        """Remove the groups; waits up to two seconds for ended processes to leave.

        Blocks: call it from a thread.
        """
        self.close()
        removed = [_rmdir(directory) for directory in self._directories]
        return all(removed)


def _choose(
    kinds: tuple[Callable[[Path], _Knob], Callable[[Path], _Knob]],
    controller: str,
    v1: Mapping[str, Path],
    v2: Path | None,
    v2_controllers: frozenset[str],
) -> _Knob | None:
    if controller in v1:
        return kinds[0](v1[controller])
    if v2 is not None and controller in v2_controllers:
        return kinds[1](v2)
    return None


def _rmdir(directory: Path) -> bool:
    for _ in range(_REMOVE_ATTEMPTS):
        try:
            directory.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            # EBUSY: a process that has ended is still being taken apart.
            time.sleep(_REMOVE_PAUSE_S)
        else:
            return True
    _LOG.warning("cgroup %s cannot be removed; the next start sweeps it", directory)
    return False
