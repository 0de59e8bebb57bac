"""The launcher: a small root process that forks sandboxes, one per request.

It sits in the template root (`lambdad.sandbox.rootfs`), so that a new sandbox has its root
directory the moment it is forked. It never sees code, payloads or environment variables of a
function: every sandbox is forked from this memory, and could read what is left in it. Only
the standard library, one thread, and everything imported before it leaves the host's tree.

The control socket (SEQPACKET) carries, from the supervisor: once the configuration (JSON) and the
seccomp filter, then one request (JSON, with descriptors) per sandbox. It answers `up`, or the
text of what went wrong. Everything about one sandbox is said on that sandbox's own socket.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import traceback
from types import ModuleType

from lambdad.sandbox import confinement, descriptors, rootfs, syscalls

MESSAGE_BYTES = 128 * 1024
DESCRIPTORS_MAX = 200
UP = b"up"
FAILED = b"F"


def main(control_fd: int) -> None:
    """Serve until the supervisor is gone."""
    control = socket.socket(fileno=control_fd)
    try:
        launcher = _prepare(control)
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor must learn of it
        control.send(str(error).encode()[:MESSAGE_BYTES])
        return
    control.send(UP)
    launcher.run()


def _prepare(control: socket.socket) -> Launcher:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    init = importlib.import_module("lambdad.guest.init")
    configuration = json.loads(control.recv(MESSAGE_BYTES))
    seccomp = control.recv(MESSAGE_BYTES)
    syscalls.overwrite_arguments("lambdad-launcher")
    syscalls.set_name("lambdad-launch")
    pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    rootfs.enter(configuration["first_uid"], configuration["environments"])
    # Children are collected by the kernel; the supervisor watches them by pidfd.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.dont_write_bytecode = True
    return Launcher(control, pid_namespace, init, seccomp)


class Launcher:
    """The request loop."""

    def __init__(
        self, control: socket.socket, pid_namespace: int, init: ModuleType, seccomp: bytes
    ) -> None:
        self._control = control
        self._pid_namespace = pid_namespace
        self._init = init
        self._seccomp = seccomp

    def run(self) -> None:
        """Fork one sandbox per message until the control socket ends."""
        while True:
            message, passed = descriptors.receive(self._control, MESSAGE_BYTES, DESCRIPTORS_MAX)
            if not message:
                return
            request = json.loads(message)
            private = socket.socket(fileno=passed[0])
            try:
                if self._fork() == 0:
                    self._become_sandbox(request, private, passed[1:])
            except OSError as error:
                private.send(FAILED + str(error).encode())
            private.close()
            for fd in passed[1:]:
                os.close(fd)

    def _fork(self) -> int:
        """Fork into a new PID namespace, where the child is PID 1."""
        syscalls.unshare(syscalls.CLONE_NEWPID)
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                # Or the next child would be in this namespace too, which ends with its PID 1.
                syscalls.setns(self._pid_namespace, syscalls.CLONE_NEWPID)
        return pid

    def _become_sandbox(
        self, request: confinement.Request, private: socket.socket, passed: list[int]
    ) -> None:
        status = 1
        try:
            private = confinement.shed(private, passed)
            oom_score_fd = confinement.confine(request, private, passed, self._seccomp)
            self._init.main(private, oom_score_fd)
            status = 0
        except OSError as error:
            private.send(FAILED + str(error).encode())
        except BaseException:  # noqa: BLE001 - nothing may get back into the launcher's loop
            private.send(FAILED + traceback.format_exc().encode())
        finally:
            os._exit(status)
