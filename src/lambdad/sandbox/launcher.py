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

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import NoReturn, TypedDict

from lambdad.sandbox import (
    confinement,
    descriptors,
    guest_mounts,
    rootfs,
    small_init,
    syscalls,
)
from lambdad.sandbox.steps import FirstProcess, Steps

MESSAGE_BYTES = 128 * 1024
DESCRIPTORS_MAX = 200
UP = b"up"
FAILED = b"F"
# What a small PID 1 is told that has nobody to serve.
# By a daemon in the background of a shell, or below nohup: functions are not.
_MAY_BE_IGNORED = (signal.SIGHUP, signal.SIGQUIT)
_NOTHING = ("oom_score=0", "seat=0 0", "ready=0")


class Forked(BaseException):
    """Unwinds the stack of a forked runtime, down to where its program is run.

    Args:
        argv: what it is called by.
        environment: all its variables.
        places: which descriptor is to be at which number; all others are to be closed.
        directory: where it starts.
    """

    def __init__(
        self,
        argv: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        places: Sequence[tuple[int, int]],
        directory: str,
    ) -> None:
        super().__init__(directory)
        self.argv = argv
        self.environment = environment
        self.places = places
        self.directory = directory


class Program(TypedDict):
    """An interpreter to become: see `lambdad.domain.environments.Zygote`.

    Attributes:
        argv: its command, but for the last argument: a :class:`Task` as JSON.
        targets: where the mounts that come with it go; the last is lambdad's package.
        directories: to be there until it is up.
    """

    argv: list[str]
    script: str
    modules: list[str]
    environment: dict[str, str]
    targets: list[str]
    directories: list[str]


class Task(TypedDict):
    """What a zygote is to do.

    Attributes:
        stat: descriptor of its own `/proc/self/stat`: there is no `/proc` where it is.
        control, pid_namespace, successor: descriptors.
        temporary: what to unmount once everything is imported.
    """

    control: int
    pid_namespace: int
    stat: int
    successor: int | None
    script: str
    modules: list[str]
    temporary: list[str]


class Configuration(TypedDict):
    """What a launcher is told at its start. Descriptors: mounts of the program."""

    first_uid: int
    environments: int
    program: Program | None


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
    message, mounts = descriptors.receive(control, MESSAGE_BYTES, DESCRIPTORS_MAX)
    configuration: Configuration = json.loads(message)
    pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    stat = os.open("/proc/self/stat", os.O_RDONLY | os.O_CLOEXEC)
    successor = small_init.program()
    for number in _MAY_BE_IGNORED:
        signal.signal(number, signal.SIG_DFL)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    program = configuration["program"]
    if program is None:
        syscalls.overwrite_arguments("lambdad-launcher")
        syscalls.set_name("lambdad-launch")
    rootfs.enter(configuration["first_uid"], configuration["environments"])
    if program is not None:
        _become(program, (control.fileno(), pid_namespace, stat, successor), mounts)
    os.close(stat)
    seccomp = control.recv(MESSAGE_BYTES)
    # Children are collected by the kernel; the supervisor watches them by pidfd.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.dont_write_bytecode = True
    return Launcher(control, pid_namespace, init, seccomp, successor=successor)


def _become(
    program: Program, kept: tuple[int, int, int, int | None], mounts: list[int]
) -> NoReturn:
    """Execute a zygote in the template root, with the descriptors of its task."""
    control, pid_namespace, stat, successor = kept
    guest_mounts.attach_all(mounts, program["targets"])
    temporary = [program["targets"][-1]]
    for directory in program["directories"]:
        parent = os.path.dirname(directory)  # noqa: PTH120 - no pathlib in the launcher
        syscalls.mount("tmpfs", parent, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV)
        os.mkdir(directory)  # noqa: PTH102
        temporary.append(parent)
    for fd in kept:
        if fd is not None:
            os.set_inheritable(fd, True)
    task: Task = {
        "control": control,
        "pid_namespace": pid_namespace,
        "stat": stat,
        "successor": successor,
        "script": program["script"],
        "modules": program["modules"],
        "temporary": temporary,
    }
    argv = [*program["argv"], json.dumps(task)]
    os.execve(argv[0], argv, program["environment"])  # noqa: S606


class Launcher:
    """The request loop.

    Where runtimes are executed, `fork` and `seat` are None. Else `fork` makes of the control socket
    and a sandbox's private one what forks runtimes there, and `seat` is called with the private one
    and another in a process that is to be the first runtime, and waits until it is told over that.
    `successor` is what PID 1 becomes, see `small_init`.
    """

    def __init__(
        self,
        control: socket.socket,
        pid_namespace: int,
        init: ModuleType,
        seccomp: bytes,
        *,
        fork: Callable[[socket.socket, socket.socket], object] | None = None,
        seat: Callable[[socket.socket, socket.socket], NoReturn] | None = None,
        successor: int | None = None,
    ) -> None:
        # Once for all sandboxes: it says what programs may get, and the launcher executes none.
        syscalls.drop_bounding_set()
        self._control = control
        self._pid_namespace = pid_namespace
        self._init = init
        self._seccomp = seccomp
        self._fork_in = fork
        self._seat = seat
        self._successor = successor
        self._first = _first_process(successor)

    def run(self) -> None:
        """Fork one sandbox per message until the control socket ends."""
        while True:
            message, passed = descriptors.receive(self._control, MESSAGE_BYTES, DESCRIPTORS_MAX)
            if not message:
                return
            request = json.loads(message)
            private = socket.socket(fileno=passed[0])
            try:
                if self._first is not None and confinement.is_plain(request):
                    self._begin(self._first, request, private, passed[1:])
                elif self._fork() == 0:
                    self._become_sandbox(request, private, passed[1:])
            except OSError as error:
                # Nobody may be interested any more; others are.
                with contextlib.suppress(OSError):
                    private.send(FAILED + str(error).encode())
            private.close()
            for fd in passed[1:]:
                os.close(fd)

    def _begin(
        self,
        first: FirstProcess,
        request: confinement.Request,
        private: socket.socket,
        passed: list[int],
    ) -> None:
        """Have a sandbox made by a process that is its PID 1 and never a Python."""
        assert self._successor is not None  # noqa: S101 - what `first` is made of
        seats: tuple[()] | tuple[socket.socket, socket.socket] = ()
        if self._seat is not None:
            seats = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            steps = confinement.first_process(
                request,
                private.fileno(),
                passed,
                self._seccomp,
                successor=self._successor,
                seat=(seats[0].fileno(), seats[1].fileno()) if seats else None,
            )
            if first.begin(steps) == 0 and seats:
                self._wait(private, *seats)
        finally:
            for end in seats:
                end.close()

    def _wait(self, private: socket.socket, theirs: socket.socket, ours: socket.socket) -> None:
        """Be a runtime, in a sandbox, as soon as PID 1 says which."""
        try:
            assert self._seat is not None  # noqa: S101 - or there were no seat
            # PID 1 has it.
            theirs.detach()
            self._seat(private, ours)
        except Forked:
            raise
        except BaseException:  # noqa: BLE001 - nothing may get back into the launcher's loop
            os._exit(1)

    def _fork(self) -> int:
        """Fork into a new PID namespace, where the child is PID 1."""
        syscalls.unshare(syscalls.CLONE_NEWPID)
        pid = -1
        try:
            pid = syscalls.fork()
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
            kept = passed if self._successor is None else [*passed, self._successor]
            private = confinement.shed(private, kept)
            free = max([private.fileno(), *kept]) + 1
            oom_score_fd = confinement.confine(request, private, passed, self._seccomp, free)
            fork = self._fork_in(self._control, private) if self._fork_in else None
            self._init.main(private, oom_score_fd, fork, self._successor)
            status = 0
        except Forked:
            # A runtime now, which goes on where this process began.
            raise
        except OSError as error:
            private.send(FAILED + str(error).encode())
        except BaseException:  # noqa: BLE001 - nothing may get back into the launcher's loop
            private.send(FAILED + traceback.format_exc().encode())
        os._exit(status)


def _first_process(successor: int | None) -> FirstProcess | None:
    """Return what begins a PID 1 that never is a Python; None where this host cannot."""
    if successor is None:
        return None
    steps = Steps()
    # Without a supervisor it ends at once.
    confinement.execute(steps, successor, (f"control={MESSAGE_BYTES}", *_NOTHING))
    try:
        first = FirstProcess(successor)
        first.begin(steps)
    except OSError:
        return None
    return first
