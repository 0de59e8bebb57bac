"""What the first process of a sandbox does to itself on its way to being PID 1 of it.

The order matters and is the whole of this module: cgroups first, so that everything is charged;
namespaces, devices and mounts while there are capabilities; privileges last. Nothing untrusted
runs before the end of it, so what is sent comes from lambdad. Standard library only.

Two follow it: `first_process` writes all of it down for a process that never is a Python;
`confine` is for a fork of the launcher, which can do what no list of calls can: look and decide.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from typing import TypedDict

from lambdad.sandbox import guest_mounts, guest_root, rootfs, syscalls
from lambdad.sandbox.steps import Result, Steps, address_of

READY = b"R"
_MEMLOCK_BYTES = 64 * 1024
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
# `struct sigaction` of the kernel: the default for a signal; and the size of its set of signals.
_DEFAULT_ACTION, _SIGNAL_SET_BYTES = bytes(32), 8
_MS_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NODEV
_DESCRIPTORS_END = 0xFFFF_FFFF
_SIGNALS = (signal.SIGCHLD, signal.SIGINT)
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
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    steps = Steps()
    close_others(steps, [private.fileno(), *descriptors])
    steps.follow()
    sys.stdin = sys.stdout = sys.stderr = None
    return private


def confine(
    request: Request, private: socket.socket, descriptors: list[int], seccomp: bytes, free: int
) -> int:
    """Build the sandbox around this process, give up all power, and report.

    Returns:
        A descriptor of `/proc/self/oom_score_adj`, which only root could open. Its number is
        `free`, from which on there are no descriptors.
    """
    steps = Steps()
    views = join(steps, request, descriptors)
    steps.follow()
    if request["root"]:
        guest_root.enter(views.pop(0), request["uid"])
    steps = Steps()
    mount(steps, request)
    steps.follow()
    guest_mounts.attach_all(views, request["targets"])
    syscalls.overwrite_arguments("init")
    syscalls.set_name("init")
    steps = Steps()
    pidfd = give_up(steps, request, seccomp, free)
    steps.add("report", "sendmsg", private.fileno(), _ready(pidfd), 0)
    _close(steps, pidfd)
    steps.follow()
    return free


def is_plain(request: Request) -> bool:
    """Whether a list of calls will do, made in the root that all sandboxes share."""
    return not request["root"] and all(map(os.path.lexists, request["targets"]))


def first_process(
    request: Request,
    private: int,
    descriptors: Sequence[int],
    seccomp: bytes,
    *,
    successor: int,
    seat: tuple[int, int] | None,
) -> Steps:
    """Write down all that a process does to become PID 1 of a sandbox, for a plain request.

    At its end it executes `successor`. With a `seat` it leaves a fork of the launcher behind that
    waits to be a program: the end of a socket over which PID 1 tells it which, and its own.
    """
    steps = Steps()
    default_signals(steps)
    seats = seat or ()
    kept = [private, successor, *descriptors, *seats]
    close_others(steps, kept)
    views = join(steps, request, descriptors)
    mount(steps, request)
    attach(steps, views, request["targets"])
    oom_score_fd = max(kept) + 1
    pidfd = give_up(steps, request, seccomp, oom_score_fd)
    if seat:
        # The kernel then takes the program, not PID 1, when memory runs out.
        steps.add("be a victim", "pwrite64", oom_score_fd, b"1000", 4, 0)
        steps.fork()
        steps.add("be spared", "pwrite64", oom_score_fd, b"0", 1, 0)
    # The successor reports: what the supervisor knows of may be stopped, and the launcher waits.
    for fd in (private, oom_score_fd, pidfd, *seats[:1]):
        steps.add("keep a descriptor", "fcntl", fd, fcntl.F_SETFD, 0)
    # What is forked first has the second number of the namespace.
    waiting = f"{seat[0]} 2" if seat else "0 0"
    known = (f"control={private}", f"oom_score={oom_score_fd}", f"seat={waiting}")
    execute(steps, successor, (*known, f"ready={pidfd}"))
    return steps


def execute(steps: Steps, program: int, variables: Sequence[str]) -> None:
    """Become the small program; see `guest/native/init.c` for the variables."""
    arguments = struct.pack("=qq", address_of(b"init"), 0)
    addresses = [address_of(variable.encode()) for variable in variables]
    environment = struct.pack(f"={len(addresses)}qq", *addresses, 0)
    steps.add("execute", "execveat", program, b"", arguments, environment, _AT_EMPTY_PATH)


def default_signals(steps: Steps) -> None:
    """Undo what the launcher has set, for the C library and the kernel."""
    for number in _SIGNALS:
        steps.add("reset a signal", "rt_sigaction", number, _DEFAULT_ACTION, 0, _SIGNAL_SET_BYTES)


def close_others(steps: Steps, kept: Sequence[int]) -> None:
    """Close all other descriptors, and have nothing as the standard streams."""
    first = 3
    for fd in sorted(kept):
        if first < fd:
            steps.add("close descriptors", "close_range", first, fd - 1, 0)
        first = max(first, fd + 1)
    steps.add("close descriptors", "close_range", first, _DESCRIPTORS_END, 0)
    flags = os.O_RDWR | os.O_CLOEXEC
    null = steps.add("open /dev/null", "openat", _AT_FDCWD, b"/dev/null", flags, 0)
    for stream in (0, 1, 2):
        steps.add("set a standard stream", "dup3", null, stream, 0)
    _close(steps, null)


def join(steps: Steps, request: Request, descriptors: Sequence[int]) -> list[int]:
    """Enter control groups and namespaces; return what is left of the descriptors: views."""
    groups = request["cgroups"]
    for fd in descriptors[:groups]:
        steps.add("enter a control group", "write", fd, b"0", 1)
        _close(steps, fd)
    network = descriptors[groups]
    steps.add("enter a network namespace", "setns", network, syscalls.CLONE_NEWNET)
    _close(steps, network)
    steps.add("make namespaces", "unshare", _NAMESPACES)
    return list(descriptors[groups + 1 :])


def mount(steps: Steps, request: Request) -> None:
    """Mount what every sandbox has: its processes, and of the host what programs need to run."""
    flags = _MS_FLAGS | syscalls.MS_NOEXEC
    steps.add("mount proc", "mount", b"proc", b"/proc", b"proc", flags, 0)
    for path in guest_mounts.MASKED:
        steps.add(
            f"mask {path}",
            "mount",
            b"/dev/null",
            path.encode(),
            0,
            syscalls.MS_BIND,
            0,
            # This kernel has none.
            tolerated=errno.ENOENT,
        )
    if request["tmpfs_mb"]:
        options = f"size={request['tmpfs_mb']}m,mode=1777".encode()
        # Where no disk image can be had.
        steps.add("mount tmpfs", "mount", b"tmpfs", b"/tmp", b"tmpfs", _MS_FLAGS, options)


def attach(steps: Steps, views: Sequence[int], targets: Sequence[str]) -> None:
    """Put each view at its target, which exists."""
    for fd, target in zip(views, targets):  # noqa: B905 - in Python 3.9 as well
        flags = syscalls.MOVE_MOUNT_F_EMPTY_PATH
        steps.add(f"mount on {target}", "move_mount", fd, b"", _AT_FDCWD, target.encode(), flags)
        _close(steps, fd)


def give_up(steps: Steps, request: Request, seccomp: bytes, oom_score_fd: int) -> int:
    """Give up all power; return where the process itself is open, to be reported.

    `/proc/self/oom_score_adj`, which only root can open, gets the number `oom_score_fd`: that is
    free, and so is the next.
    """
    name = rootfs.HOST_NAME.encode()
    steps.add("set the host name", "sethostname", name, len(name))
    flags = os.O_WRONLY | os.O_CLOEXEC
    score = steps.add("open a file", "openat", _AT_FDCWD, b"/proc/self/oom_score_adj", flags, 0)
    _place(steps, score, oom_score_fd)
    pidfd = oom_score_fd + 1
    _place(steps, steps.add("open a process", "pidfd_open", 1, 0), pidfd)
    _drop_privileges(steps, request)
    program = struct.pack("=Hxxxxxxq", len(seccomp) // 8, address_of(seccomp))
    mode = syscalls.SECCOMP_MODE_FILTER
    steps.add("filter system calls", "prctl", syscalls.PR_SET_SECCOMP, mode, program)
    return pidfd


def _ready(pidfd: int) -> bytes:
    """Return a `struct msghdr` that says that the sandbox stands."""
    vector = struct.pack("=qq", address_of(READY), len(READY))
    rights = struct.pack("=qiiixxxx", 20, socket.SOL_SOCKET, socket.SCM_RIGHTS, pidfd)
    addresses = address_of(vector), address_of(rights)
    return struct.pack("=qixxxxqqqqixxxx", 0, 0, addresses[0], 1, addresses[1], len(rights), 0)


def _drop_privileges(steps: Steps, request: Request) -> None:
    for kind, limit in (
        (resource.RLIMIT_NOFILE, request["descriptors"]),
        # The cgroup counts exactly; this holds where there is no pids controller.
        (resource.RLIMIT_NPROC, request["processes"] + 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, _MEMLOCK_BYTES),
    ):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            # Raising needs CAP_SYS_RESOURCE, which not every root has.
            limit = min(limit, hard)  # noqa: PLW2901
        steps.add("lower a limit", "prlimit64", 0, kind, struct.pack("=QQ", limit, limit), 0)
    uid = request["uid"]
    steps.add("leave groups", "setgroups", 0, 0)
    steps.add("change the group", "setresgid", uid, uid, uid)
    steps.add("change the user", "setresuid", uid, uid, uid)
    steps.add("drop capabilities", "capset", syscalls.CAPABILITY_HEADER, bytes(24))
    steps.add("give up privileges", "prctl", syscalls.PR_SET_NO_NEW_PRIVS, 1)
    # SECURITY: no process of the same user may look into PID 1 or steer it.
    steps.add("be closed to others", "prctl", syscalls.PR_SET_DUMPABLE, 0)
    # After the change of user, which clears it. The launcher's end is the sandbox's end.
    steps.add("end with the launcher", "prctl", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def _place(steps: Steps, fd: Result, number: int) -> None:
    steps.add("place a descriptor", "dup3", fd, number, os.O_CLOEXEC)
    _close(steps, fd)


def _close(steps: Steps, fd: int) -> None:
    steps.add("close a descriptor", "close", fd)
