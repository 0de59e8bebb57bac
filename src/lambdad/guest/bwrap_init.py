"""The first program in a bubblewrap sandbox: finishes the confinement, then is its PID 1.

bubblewrap has made namespaces and mounts, dropped capabilities and installed the system call
filter. What is left is what it cannot do: listening sockets, limits, and, if it was started by
root, the change to the sandbox's own user. Standard library only, Python 3.8 or newer.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import struct
import sys
from typing import Any

from lambdad.guest import init

READY, FAILED = b"R", b"F"
_BACKLOG = 128
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_DESCRIPTORS_MAX = 65536
_CAPABILITY_VERSION_3 = 0x20080522


def main(control_fd: int, settings: str) -> None:
    """Report ready and serve until the supervisor is gone.

    Args:
        control_fd: the private socket.
        settings: JSON: `ports`, `uid` (null to stay who we are) and `limits` by number.
    """
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    try:
        score = _prepare(control, json.loads(settings))
    except (OSError, ValueError) as error:
        control.send(FAILED + str(error).encode())
        return
    init.main(control, score)


def _prepare(control: socket.socket, settings: "dict[str, Any]") -> int:
    os.closerange(3, control.fileno())
    os.closerange(control.fileno() + 1, _DESCRIPTORS_MAX)
    listeners = [_listen(port) for port in settings["ports"]]
    # Before the change of user, after which the kernel shows it to root alone.
    score = _oom_score_fd()
    pidfd = os.pidfd_open(os.getpid())
    _become(settings)
    socket_fds = [listener.fileno() for listener in listeners]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _ints([pidfd, *socket_fds]))]
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    control.sendmsg([READY], rights)
    for listener in listeners:
        listener.close()
    os.close(pidfd)
    return score


def _ints(values: "list[int]") -> bytes:
    return b"".join(value.to_bytes(4, sys.byteorder) for value in values)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(_BACKLOG)
    return listener


def _oom_score_fd() -> int:
    fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(fd, b"0", 0)
    except PermissionError:
        # It could not go back to its own score: so it writes to nowhere.
        os.close(fd)
        return os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    return fd


def _become(settings: "dict[str, Any]") -> None:
    for kind, limit in settings["limits"].items():
        _, hard = resource.getrlimit(int(kind))
        within = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        # Memory alone may be raised later on.
        ceiling = hard if int(kind) == resource.RLIMIT_DATA else within
        resource.setrlimit(int(kind), (within, ceiling))
    uid = settings["uid"]
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        # The effective and permitted capabilities go with the user.
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "cannot drop capabilities")
    # SECURITY: no process of the same user may look into PID 1 or steer it.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # The change of user clears it. bubblewrap's end is the sandbox's end.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
