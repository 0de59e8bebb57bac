"""What protects in a native sandbox, in the words of `lambdad doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from lambdad.sandbox.base import Guard, GuardState
from lambdad.sandbox.cgroups import CgroupTree

# What every native sandbox has; without any of it `create` fails.
_ALWAYS = (
    ("mount namespace", "reading the host's files", "own tree, read-only, pivoted"),
    ("pid namespace", "seeing and signalling other processes", "own PID 1"),
    ("network namespace", "reaching the host's sockets and other functions", "own loopback"),
    ("ipc namespace", "shared memory and queues of other functions", "own namespace"),
    ("uts namespace", "learning the host's name", "own namespace"),
    ("cgroup namespace", "learning the host's cgroup paths", "own namespace"),
    ("own user", "touching what belongs to others", "one uid per environment"),
    ("no capabilities", "using root's powers", "all sets empty, bounding set too"),
    ("no new privileges", "gaining power by set-uid programs", "no_new_privs"),
    ("seccomp", "attacking the kernel by rare system calls", "allow-list"),
    ("descriptor limit", "exhausting open files", "RLIMIT_NOFILE"),
)
_CGROUPS = (
    ("memory limit", "memory", "eating the host's memory"),
    ("cpu limit", "cpu", "taking more processor time than bought"),
    ("process limit", "pids", "fork bombs"),
)


def guards(
    cgroups: CgroupTree, *, no_ephemeral: str, no_egress: str, resolvers: Sequence[str]
) -> list[Guard]:
    """Describe all guards.

    Args:
        cgroups: of the host, opened.
        no_ephemeral: why `/tmp` is no disk image; empty when it is one.
        no_egress: why functions have no network; empty when they have.
        resolvers: name servers that functions can reach.
    """
    found = [
        Guard(name=name, state=GuardState.ACTIVE, stops=stops, detail=detail)
        for name, stops, detail in _ALWAYS
    ]
    found += [_limit(cgroups, *row) for row in _CGROUPS]
    found += [_freezer(cgroups), _storage(no_ephemeral), _egress(no_egress, resolvers)]
    return found


def _limit(cgroups: CgroupTree, name: str, controller: str, stops: str) -> Guard:
    if cgroups.has(controller):
        detail = "cgroup v1" if controller in cgroups.hierarchies.v1 else "cgroup v2"
        return Guard(name=name, state=GuardState.ACTIVE, stops=stops, detail=detail)
    return Guard(
        name=name,
        state=GuardState.ABSENT,
        stops=stops,
        detail=f"the cgroup controller {controller} is not available",
        remedy=f"Boot with cgroup_enable={controller}, or delegate it to lambdad's cgroup.",
    )


def _freezer(cgroups: CgroupTree) -> Guard:
    name, stops = "freezer", "running between invocations"
    if cgroups.hierarchies.v2:
        return Guard(name=name, state=GuardState.ACTIVE, stops=stops, detail="cgroup.freeze")
    if "freezer" in cgroups.hierarchies.v1:
        return Guard(
            name=name,
            state=GuardState.DEGRADED,
            stops=stops,
            detail="cgroup v1: frozen processes outlive a killed lambdad until its next start",
            remedy="mount -t cgroup2 none /sys/fs/cgroup/unified",
        )
    return Guard(
        name=name,
        state=GuardState.ABSENT,
        stops=stops,
        detail="there is no cgroup freezer",
        remedy="Mount a cgroup2 file system.",
    )


def _storage(no_ephemeral: str) -> Guard:
    name, stops = "ephemeral storage", "filling the host's disk through /tmp"
    if not no_ephemeral:
        return Guard(name=name, state=GuardState.ACTIVE, stops=stops, detail="ext4 image")
    return Guard(
        name=name,
        state=GuardState.DEGRADED,
        stops=stops,
        detail=f"it is in memory, and the memory limit larger by its size. {no_ephemeral}",
        remedy="Install e2fsprogs and load the kernel module loop.",
    )


def _egress(no_egress: str, resolvers: Sequence[str]) -> Guard:
    name, stops = "egress filter", "reaching private networks and the host's services"
    if not no_egress and not resolvers:
        return Guard(
            name=name,
            state=GuardState.DEGRADED,
            stops=stops,
            detail="functions cannot resolve names: the host's name server is on its loopback",
            remedy="Name a server in /etc/resolv.conf that is reachable from elsewhere.",
        )
    if not no_egress:
        detail = "veth and nftables: public addresses only"
        return Guard(name=name, state=GuardState.ACTIVE, stops=stops, detail=detail)
    return Guard(
        name=name,
        state=GuardState.ABSENT,
        stops=stops,
        detail=f"functions have no network at all: {no_egress}",
        remedy="apt-get install nftables, or set sandbox.egress to true.",
    )
