"""What the launcher's child does to itself on its way to being PID 1 of a sandbox.

The order matters and is the whole of this module: cgroups first, so that everything is charged;
namespaces, devices and mounts while there are capabilities; privileges last. Nothing untrusted
runs before `confine` has returned, so what it sends comes from lambdad. Standard library only.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from typing import TypedDict

from lambdad.sandbox import guest_mounts, guest_root, rootfs, syscalls

READY = b"R"
_MEMLOCK_BYTES = 64 * 1024
_NAMESPACES = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWCGROUP
)


class Request(TypedDict):
    """What the supervisor asks for. Descriptors: cgroups, network, root if any, then mounts.

    Attributes:
        uid: also the gid.
        cgroups: how many descriptors of `cgroup.procs` there are.
        tmpfs_mb: size of `/tmp` in memory; 0 when it is among the mounts.
        root: whether it gets a root directory of its own.
        targets: where the mounts go.
    """

    uid: int
    processes: int
    descriptors: int
    cgroups: int
    tmpfs_mb: int
    root: bool
    targets: list[str]


def shed(private: socket.socket, descriptors: Sequence[int]) -> socket.socket:
    """Close everything that was inherited from the launcher but what this sandbox was given."""
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    keep = sorted([private.fileno(), *descriptors])
    first = 3
    for fd in keep:
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    sys.stdin = sys.stdout = sys.stderr = None
    return private


def confine(
    request: Request, private: socket.socket, descriptors: list[int], seccomp: bytes
) -> int:
    """Build the sandbox around this process, give up all power, and report.

    Returns:
        A descriptor of `/proc/self/oom_score_adj`, which only root could open.
    """
    attached, rest = descriptors[: request["cgroups"]], descriptors[request["cgroups"] :]
    for fd in attached:
        os.write(fd, b"0")
        os.close(fd)
    _enter_namespaces(request, rest)
    syscalls.overwrite_arguments("init")
    syscalls.set_name("init")
    oom_score_fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    pidfd = os.pidfd_open(1)
    _drop_privileges(request)
    syscalls.install_seccomp(seccomp)
    socket.send_fds(private, [READY], [pidfd])
    os.close(pidfd)
    return oom_score_fd


def _enter_namespaces(request: Request, descriptors: list[int]) -> None:
    network = descriptors.pop(0)
    syscalls.setns(network, syscalls.CLONE_NEWNET)
    os.close(network)
    syscalls.unshare(_NAMESPACES)
    if request["root"]:
        guest_root.enter(descriptors.pop(0), request["uid"])
    guest_mounts.mount_proc()
    if request["tmpfs_mb"]:
        guest_mounts.mount_tmpfs(request["tmpfs_mb"])
    guest_mounts.attach_all(descriptors, request["targets"])
    syscalls.sethostname(rootfs.HOST_NAME)


def _drop_privileges(request: Request) -> None:
    for kind, limit in (
        (resource.RLIMIT_NOFILE, request["descriptors"]),
        # The cgroup counts exactly; this holds where there is no pids controller.
        (resource.RLIMIT_NPROC, request["processes"] + 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, _MEMLOCK_BYTES),
    ):
        _lower_limit(kind, limit)
    uid = request["uid"]
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    syscalls.drop_capabilities()
    syscalls.no_new_privileges()
    # SECURITY: no process of the same user may look into PID 1 or steer it.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    # After the change of user, which clears it. The launcher's end is the sandbox's end.
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def _lower_limit(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        # Raising needs CAP_SYS_RESOURCE, which not every root has.
        limit = min(limit, hard)
    resource.setrlimit(kind, (limit, limit))
