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
from lambdad.sandbox.netlink import Netlink

READY = b"R"
_LISTEN_BACKLOG = 128
_MEMLOCK_BYTES = 64 * 1024
_GUEST_DEVICE = "eth0"
_NAMESPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWNET
)


class Wire(TypedDict):
    """The network device of a sandbox: names and IPv4 addresses of both ends."""

    host_device: str
    address: str
    gateway: str


class Request(TypedDict):
    """What the supervisor asks for. Descriptors: cgroups, a root if there is one, then mounts.

    Attributes:
        uid: also the gid.
        cgroups: how many descriptors of `cgroup.procs` there are.
        tmpfs_mb: size of `/tmp` in memory; 0 when it is attached from outside.
        root: whether it gets a root directory of its own.
        targets: where the mounts go.
        wire: None for a sandbox with loopback alone.
    """

    uid: int
    processes: int
    descriptors: int
    ports: list[int]
    cgroups: int
    tmpfs_mb: int
    root: bool
    targets: list[str]
    wire: Wire | None


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
    listeners = [_listen(port) for port in request["ports"]]
    oom_score_fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    pidfd = os.pidfd_open(1)
    _drop_privileges(request)
    syscalls.install_seccomp(seccomp)
    socket.send_fds(private, [READY], [pidfd, *[listener.fileno() for listener in listeners]])
    for listener in listeners:
        listener.close()
    os.close(pidfd)
    return oom_score_fd


def _enter_namespaces(request: Request, descriptors: list[int]) -> None:
    # A netlink socket belongs to the namespace it was opened in: this one stays the host's.
    host = Netlink() if request["wire"] else None
    syscalls.unshare(_NAMESPACES)
    if request["root"]:
        guest_root.enter(descriptors.pop(0), request["uid"])
    guest_mounts.mount_proc()
    if request["tmpfs_mb"]:
        guest_mounts.mount_tmpfs(request["tmpfs_mb"])
    guest_mounts.attach_all(descriptors, request["targets"])
    syscalls.sethostname(rootfs.HOST_NAME)
    syscalls.loopback_up()
    if request["wire"] and host:
        _connect(host, request["wire"])
        host.close()


def _connect(host: Netlink, wire: Wire) -> None:
    """Lay the wire to the host: one address, and the host as gateway for everything else."""
    inside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        host.create_veth(wire["host_device"], _GUEST_DEVICE, inside)
    finally:
        os.close(inside)
    outer = host.index(wire["host_device"])
    # The gateway's address is on every host end, so that it goes when the device goes.
    host.add_address(outer, wire["gateway"])
    host.set_up(outer)
    host.add_host_route(wire["address"], outer)
    with Netlink() as guest:
        inner = guest.index(_GUEST_DEVICE)
        guest.add_address(inner, wire["address"])
        guest.set_up(inner)
        guest.add_default_route(wire["gateway"], inner)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(_LISTEN_BACKLOG)
    return listener


def _drop_privileges(request: Request) -> None:
    for kind, limit in (
        (resource.RLIMIT_NOFILE, request["descriptors"]),
        # The cgroup counts exactly; this holds where there is no pids controller.
        (resource.RLIMIT_NPROC, request["processes"] + 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, _MEMLOCK_BYTES),
    ):
        _lower_limit(kind, limit)
    syscalls.drop_bounding_set()
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
