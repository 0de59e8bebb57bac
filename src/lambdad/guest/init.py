"""PID 1 of a sandbox: starts programs when told, reaps everything, reports how programs ended.

It runs as the sandbox's own user, without privileges, with all guards in place: it is trusted
no more than the function itself. Its one tie to the outside is a socket of type SEQPACKET. One
message is one request or one report; file descriptors travel with it. When the socket ends, so
does the sandbox: the end of PID 1 is the end of every process of its namespace.

Requests:
    `S` token, flags, arguments, variables, then NUL-separated: directory, argv, NAME=value
        (descriptors: output, telemetry if flagged, then what the program inherits)
    `G` token, signal number: send the signal to that program
    `K` token: kill every other process
    `C` token, port: connect to that port of the sandbox's own 127.0.0.1
Reports, all of `<cIi`: kind, token, value:
    `P` the program runs, `N` it could not be started (errno), `E` it ended (wait status),
    `K` all processes are gone, `C` connected (0, with the descriptor) or not (errno)

An interpreter is much for a process that waits. Once no runtime will be forked from it any more,
it becomes `native/init.c`, where the processor is one that this is there for: same process, same
messages.
"""

import array
import contextlib
import errno
import fcntl
import os
import select
import signal
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Places = list[tuple[int, int]]
    Fork = Callable[[list[bytes], dict[bytes, bytes], Places], int]

SPAWN, SIGNAL, KILL, CONNECT = b"S", b"G", b"K", b"C"
STARTED, NOT_STARTED, ENDED, KILLED, CONNECTED = b"P", b"N", b"E", b"K", b"C"

SPAWN_HEAD = struct.Struct("<cIBHH")
SIGNAL_REQUEST = struct.Struct("<cIB")
KILL_REQUEST = struct.Struct("<cI")
CONNECT_REQUEST = struct.Struct("<cIH")
REPORT = struct.Struct("<cIi")
MESSAGE_BYTES = 256 * 1024

TELEMETRY, FORKED = 1, 2
TELEMETRY_FD, FIRST_INHERITED_FD = 3, 4
_DESCRIPTORS = 6
# Where no number is that a program expects something at.
_ASIDE_FD = 64
_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR)
_NO_RESOURCES = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
# What a shell answers for a program that does not exist, and one that cannot be executed.
_STATUS_NOT_FOUND, _STATUS_NOT_EXECUTABLE = 127 << 8, 126 << 8
# The kernel then takes the programs, not PID 1, when the memory of the sandbox runs out.
_VICTIM, _SPARED = b"1000", b"0"


class Init:
    """The loop. State: which process belongs to which token of the supervisor.

    `fork` starts a program by forking this process, where this is an interpreter that has booted:
    called with argv, variables, directory and (from, to) pairs of descriptors; returns its pid.
    `successor` is a descriptor of the small program to become afterwards.
    """

    def __init__(
        self,
        control: socket.socket,
        oom_score_fd: int,
        fork: "Fork | None" = None,
        successor: "int | None" = None,
    ) -> None:
        self._control = control
        self._oom_score_fd = oom_score_fd
        self._fork = fork
        self._successor = successor
        self._tokens: dict[int, int] = {}

    def run(self) -> None:
        """Serve until the supervisor is gone."""
        if self._fork is None:
            self._be_succeeded()
        wakeup = self._wake_on_child()
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(wakeup, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == wakeup:
                    os.read(wakeup, 4096)
                    self._reap()
                elif not self._serve():
                    return

    @staticmethod
    def _wake_on_child() -> int:
        """Return a descriptor that becomes readable when a child has ended."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        # The wake-up needs a handler; there is nothing for it to do.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return reader

    def _serve(self) -> bool:
        """Handle one request; False when there will be none any more."""
        message, descriptors = receive(self._control)
        try:
            if not message:
                return False
            kind = message[:1]
            if kind == SPAWN:
                self._spawn(message, descriptors)
            elif kind == SIGNAL:
                self._signal(*SIGNAL_REQUEST.unpack(message)[1:])
            elif kind == KILL:
                self._kill(KILL_REQUEST.unpack(message)[1])
            elif kind == CONNECT:
                self._connect(*CONNECT_REQUEST.unpack(message)[1:])
        finally:
            for fd in descriptors:
                os.close(fd)
        return True

    def _report(self, kind: bytes, token: int, value: int = 0) -> None:
        self._control.send(REPORT.pack(kind, token, value))

    def _spawn(self, message: bytes, descriptors: "list[int]") -> None:
        spawn = Spawn(message)
        token, forked = spawn.token, spawn.flags & FORKED and self._fork is not None
        places = places_of(descriptors, spawn.flags)
        try:
            os.chdir(spawn.directory)
        except OSError as error:
            self._report(NOT_STARTED, token, error.errno or errno.EIO)
            return
        os.pwrite(self._oom_score_fd, _VICTIM, 0)
        try:
            start = self._fork if forked and self._fork is not None else _execute
            pid = start(spawn.argv, spawn.environment, places)
        except OSError as error:
            self._report_failure(token, error.errno or errno.EIO)
            return
        finally:
            os.pwrite(self._oom_score_fd, _SPARED, 0)
            os.chdir("/")
        self._tokens[pid] = token
        self._report(STARTED, token)
        if forked:
            self._be_succeeded()

    def _be_succeeded(self) -> None:
        """Become the small program; return where that is impossible."""
        if self._successor is None:
            return
        kept = (self._control.fileno(), self._oom_score_fd)
        known = {"control": str(kept[0]), "oom_score": str(kept[1]), "seat": "0 0", "ready": "0"}
        for number, (pid, token) in enumerate(self._tokens.items()):
            known[f"program_{chr(97 + number)}"] = f"{pid} {token}"
        for fd in kept:
            os.set_inheritable(fd, True)
        with contextlib.suppress(OSError):
            os.execve(self._successor, ["init"], known)  # noqa: S606
        for fd in kept:
            os.set_inheritable(fd, False)
        self._successor = None

    def _report_failure(self, token: int, number: int) -> None:
        if number in _NO_RESOURCES:
            self._report(NOT_STARTED, token, number)
            return
        self._report(STARTED, token)
        status = _STATUS_NOT_FOUND if number in _NOT_FOUND else _STATUS_NOT_EXECUTABLE
        self._report(ENDED, token, status)

    def _signal(self, token: int, number: int) -> None:
        for pid, owner in self._tokens.items():
            if owner == token:
                # Not yet reaped, so the number cannot have been given to another process.
                os.kill(pid, number)

    def _connect(self, token: int, port: int) -> None:
        """Make a connection for the supervisor, which is in another network namespace."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
            # The supervisor waits for what is under way: here nothing may wait.
            number = connection.connect_ex(("127.0.0.1", port))
            if number not in (0, errno.EINPROGRESS):
                self._report(CONNECTED, token, number)
                return
            rights = [
                (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))
            ]
            self._control.sendmsg([REPORT.pack(CONNECTED, token, 0)], rights)

    def _kill(self, token: int) -> None:
        try:
            while True:
                # Again after each wait: what was just being forked may have missed the first.
                self.strike()
                self._collect(*os.waitpid(-1, 0))
                self._reap()
        except (ProcessLookupError, ChildProcessError):
            self._reap()
        self._report(KILLED, token)

    def strike(self) -> None:
        """Kill every process but this one; ProcessLookupError when there is none.

        PID 1 of a namespace sees the sandbox and nothing else.
        """
        os.kill(-1, signal.SIGKILL)

    def _reap(self) -> None:
        """Collect what has ended until now; orphans come to PID 1 as well."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._collect(pid, status)

    def _collect(self, pid: int, status: int) -> None:
        token = self._tokens.pop(pid, None)
        if token is not None:
            self._report(ENDED, token, status)


class Spawn:
    """What a message of that kind says.

    Attributes:
        directory: where the program starts.
    """

    def __init__(self, message: bytes) -> None:
        _, self.token, self.flags, arguments, variables = SPAWN_HEAD.unpack_from(message)
        texts = message[SPAWN_HEAD.size :].split(b"\0")
        self.directory = os.fsdecode(texts[0])
        self.argv = texts[1 : 1 + arguments]
        pairs = texts[1 + arguments : 1 + arguments + variables]
        self.environment = dict(pair.split(b"=", 1) for pair in pairs)


def places_of(descriptors: "list[int]", flags: int) -> "list[tuple[int, int]]":
    """Return which descriptor a program finds at which number; its input is init's own, null."""
    if len(descriptors) > 2:
        # Or one would be overwritten before it has got to its place.
        for position, fd in enumerate(descriptors):
            descriptors[position] = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ASIDE_FD)
            os.close(fd)
    rest = iter(descriptors)
    output = next(rest)
    places = [(output, 1), (output, 2)]
    if flags & TELEMETRY:
        places.append((next(rest), TELEMETRY_FD))
    places.extend((fd, FIRST_INHERITED_FD + number) for number, fd in enumerate(rest))
    return places


def _execute(
    argv: "list[bytes]", environment: "dict[bytes, bytes]", places: "list[tuple[int, int]]"
) -> int:
    # All other descriptors close themselves on exec.
    return os.posix_spawn(
        argv[0],
        argv,
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, place) for fd, place in places],
        setsid=True,
        setsigmask=[],
        setsigdef=_SIGNALS,
    )


def receive(control: socket.socket) -> "tuple[bytes, list[int]]":
    """Return one message, empty at the end, and its descriptors, which close on exec."""
    descriptors = array.array("i")
    space = socket.CMSG_SPACE(_DESCRIPTORS * descriptors.itemsize)
    try:
        message, ancillary, _, _ = control.recvmsg(MESSAGE_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return b"", []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return message, list(descriptors)


def main(
    control: socket.socket,
    oom_score_fd: int,
    fork: "Fork | None" = None,
    successor: "int | None" = None,
) -> None:
    """Be PID 1 until the supervisor lets go of its end of the socket."""
    # The supervisor is gone: so is the sandbox.
    with contextlib.suppress(BrokenPipeError):
        Init(control, oom_score_fd, fork, successor).run()
