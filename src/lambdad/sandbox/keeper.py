"""The parent of the processes of a sandbox that does not isolate.

An init as in `lambdad/guest/init.py`, but among the host's processes: it adopts its descendants'
orphans, so that none escapes when the sandbox is destroyed, and it kills them all when the
supervisor is gone. It runs as the sandbox's own user where there is one.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import socket
from typing import Any

from lambdad.sandbox import process_tree

READY = b"R"
_PR_SET_CHILD_SUBREAPER = 36


def main(control_fd: int, settings: str) -> None:
    """Serve until the supervisor is gone.

    Args:
        control_fd: the private socket.
        settings: JSON: `uid` (null to stay who we are) and `limits` by number.
    """
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    init = importlib.import_module("lambdad.guest.init")
    # Before the change of user, after which the kernel shows it to root alone.
    score = oom_score_fd()
    _become(json.loads(settings))
    own = os.pidfd_open(os.getpid())
    socket.send_fds(control, [READY], [own])
    os.close(own)
    try:
        _keeper(init.Init)(control, score).run()
    finally:
        process_tree.kill(os.getpid())


def _become(settings: dict[str, Any]) -> None:
    # SIGTERM and Ctrl-C are for the supervisor, which drains and then lets go of the socket.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for kind, soft in settings["limits"].items():
        _, hard = resource.getrlimit(int(kind))
        within = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
        # Memory alone may be raised later on.
        ceiling = hard if int(kind) == resource.RLIMIT_DATA else within
        resource.setrlimit(int(kind), (within, ceiling))
    uid = settings["uid"]
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot adopt orphans")


def _keeper(init: type[Any]) -> type[Any]:
    """Return the init, made safe to run among the host's processes."""

    class Keeper(init):  # type: ignore[misc]
        def strike(self) -> None:
            if not process_tree.descendants(os.getpid()):
                raise ProcessLookupError
            process_tree.kill(os.getpid())

    return Keeper


def oom_score_fd() -> int:
    """Return where an init may write its score; nowhere if it may not go back to its own."""
    fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(fd, b"0", 0)
    except PermissionError:
        os.close(fd)
        return os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    return fd
