"""The supervisor's end of a sandbox's private socket: talks to the PID 1 in it.

PID 1 runs `lambdad/guest/init.py`, which describes the messages. Until it reports ready, only
lambdad's code has run in the sandbox. From then on it counts as hostile: a message that is not a
legal answer to an open question ends the sandbox.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import struct
from collections.abc import Callable, Mapping, Sequence

from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import descriptors
from lambdad.sandbox.base import ExitStatus, ProcessSpec
from lambdad.sandbox.confinement import READY
from lambdad.sandbox.launcher import FAILED

# The messages, as guest/init.py has them; a test compares.
SPAWN, SIGNAL, KILL, CONNECT = b"S", b"G", b"K", b"C"
STARTED, NOT_STARTED, ENDED, KILLED, CONNECTED = b"P", b"N", b"E", b"K", b"C"
SPAWN_HEAD = struct.Struct("<cIBHH")
SIGNAL_REQUEST = struct.Struct("<cIB")
KILL_REQUEST = struct.Struct("<cI")
CONNECT_REQUEST = struct.Struct("<cIH")
REPORT = struct.Struct("<cIi")
TELEMETRY, FORKED = 1, 2
TELEMETRY_FD = 3
_INHERITED_MAX = 4

# Below the limit of one message, which is the socket's send buffer.
_REQUEST_BYTES_MAX = 128 * 1024
_ANSWER_BYTES_MAX = 16 * 1024
_READY_DESCRIPTORS_MAX = 32
_LOOPBACK = "127.0.0.1"
# So much of one sandbox at a time, then the event loop's other work.
_REPORTS_PER_WAKE = 16


def _gone() -> HostUnfit:
    return HostUnfit("The sandbox is gone.", "Create a new one.")


class InitClient:
    """One conversation.

    State: `_arrived` is when the sandbox stands; `_starting` and `_running` hold the open
    questions by token, `_kills` those of `kill_all`, `_connecting` those of `connect`. `_lost` is
    set when the conversation is over, `_stood` when it began.

    Args:
        control: our end of the socket; owned from now on.
        on_lost: called once, when PID 1 is gone or misbehaves; it is to be killed then.
    """

    def __init__(self, control: socket.socket, on_lost: Callable[[], None]) -> None:
        self._control = control
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._tokens = itertools.count(1)
        self._starting: dict[int, asyncio.Future[int]] = {}
        self._running: dict[int, asyncio.Future[ExitStatus]] = {}
        self._kills: dict[int, asyncio.Future[None]] = {}
        self._connecting: dict[int, asyncio.Future[socket.socket]] = {}
        self._arrived: asyncio.Future[None] | None = None
        self._stood = self._lost = False
        control.setblocking(False)

    async def ready(self, listeners: int) -> tuple[int, list[socket.socket]]:
        """Wait until the sandbox stands.

        Returns:
            The pidfd of PID 1, and the listening sockets in order.

        Raises:
            HostUnfit: it could not be built.
        """
        if self._lost:
            raise _gone()
        self._arrived = self._loop.create_future()
        self._loop.add_reader(self._control, _settle, self._arrived)
        try:
            await self._arrived
        finally:
            if not self._lost:
                self._loop.remove_reader(self._control)
        message, passed = self._first_word()
        if message != READY or len(passed) != listeners + 1:
            for fd in passed:
                os.close(fd)
            why = message.removeprefix(FAILED).decode(errors="replace") or "its process died"
            raise HostUnfit(f"A sandbox could not be built: {why}.", "See `lambdad doctor`.")
        self._stood = True
        self._loop.add_reader(self._control, self._read)
        return passed[0], [socket.socket(fileno=fd) for fd in passed[1:]]

    def _first_word(self) -> tuple[bytes, list[int]]:
        for _ in range(2):
            try:
                return descriptors.receive(self._control, _ANSWER_BYTES_MAX, _READY_DESCRIPTORS_MAX)
            except ConnectionResetError:
                # It ended without reading what it was asked. What it said comes after this.
                continue
            except OSError:
                break
        return b"", []

    async def spawn(
        self, process: ProcessSpec, pipes: Sequence[int]
    ) -> tuple[int, asyncio.Future[ExitStatus]]:
        """Start a program.

        Returns:
            Its token, and the future of its end.

        Raises:
            HostUnfit: the sandbox is gone, or there are no resources for it.
        """
        token = next(self._tokens)
        message = _spawn_message(token, process)
        started: asyncio.Future[int] = self._loop.create_future()
        ended: asyncio.Future[ExitStatus] = self._loop.create_future()
        self._starting[token] = started
        self._running[token] = ended
        try:
            self._send(message, [*pipes, *process.inherited])
            number = await started
        except BaseException:
            # PID 1 may still answer; the token stays known until then or the end.
            if not started.cancel() and not started.cancelled():
                started.exception()
            raise
        if number != 0:
            reason = os.strerror(number)
            raise HostUnfit(
                f"{process.argv[0]} cannot be started in {process.cwd}: {reason}.",
                "Check the working directory and the limit of processes.",
            )
        return token, ended

    def signal(self, token: int, number: signal.Signals) -> None:
        """Send a signal to a program; nothing happens when it has ended."""
        if token in self._running and not self._lost:
            self._send(SIGNAL_REQUEST.pack(SIGNAL, token, number), ())

    async def kill_all(self) -> None:
        """Kill all processes but PID 1, and wait until they are collected."""
        if self._lost:
            return
        token = next(self._tokens)
        done = self._kills[token] = self._loop.create_future()
        self._send(KILL_REQUEST.pack(KILL, token), ())
        await done

    async def connect(self, port: int) -> socket.socket:
        """Return a connection to a port of the sandbox's own loopback, made inside.

        Raises:
            OSError: nobody listens there, or the sandbox is gone.
        """
        token = next(self._tokens)
        connected: asyncio.Future[socket.socket] = self._loop.create_future()
        try:
            self._send(CONNECT_REQUEST.pack(CONNECT, token, port), ())
        except HostUnfit as gone:
            raise ConnectionAbortedError(str(gone)) from gone
        self._connecting[token] = connected
        return await _established(await connected, port)

    @property
    def lost(self) -> bool:
        """Whether the conversation is over."""
        return self._lost

    def lose(self) -> None:
        """End the conversation: whoever waits learns that the sandbox was killed."""
        if self._lost:
            return
        self._lost = True
        self._loop.remove_reader(self._control)
        self._control.close()
        for ended in self._running.values():
            if not ended.done():
                ended.set_result(ExitStatus(signal=signal.SIGKILL))
        for killed in self._kills.values():
            if not killed.done():
                killed.set_result(None)
        self._fail_waiting()
        self._on_lost()

    def _fail_waiting(self) -> None:
        for waiting in (self._arrived, *self._starting.values()):
            if waiting is not None and not waiting.done():
                waiting.set_exception(_gone())
        for connected in self._connecting.values():
            if not connected.done():
                connected.set_exception(ConnectionAbortedError(str(_gone())))

    def _send(self, message: bytes, passed: Sequence[int]) -> None:
        if self._lost:
            raise _gone()
        try:
            socket.send_fds(self._control, [message], list(passed))
        except OSError as error:
            # Also when it does not read: its buffer takes hundreds of requests. What never stood
            # has left word why, which whoever waits for it reads.
            if self._stood:
                self.lose()
            raise _gone() from error

    def _read(self) -> None:
        for _ in range(_REPORTS_PER_WAKE):
            passed: list[int] = []
            try:
                if self._connecting:
                    report, passed = descriptors.receive(self._control, REPORT.size + 1, 1)
                else:
                    # SECURITY: no room for descriptors: the kernel drops what a guest sends.
                    report = self._control.recv(REPORT.size + 1)
            except BlockingIOError:
                return
            except OSError:
                report = b""
            if len(report) != REPORT.size or not self._take(report, passed):
                for fd in passed:
                    os.close(fd)
                self.lose()
                return
            if self._lost:
                return

    def _take(self, report: bytes, passed: list[int]) -> bool:
        """Settle what a report answers; False, with the descriptors still open, if nothing."""
        kind, token, value = REPORT.unpack(report)
        if kind != CONNECTED:
            return not passed and self._accept(kind, token, value)
        connected = self._connecting.get(token)
        if connected is None or len(passed) != (value == 0):
            return False
        connection = _connection(passed[0]) if passed else None
        if passed and connection is None:
            return False
        del self._connecting[token]
        if connected.done():
            if connection is not None:
                connection.close()
        elif connection is not None:
            connected.set_result(connection)
        else:
            connected.set_exception(OSError(value, os.strerror(value)))
        return True

    def _accept(self, kind: bytes, token: int, value: int) -> bool:
        """Settle one question; False when nobody asked."""
        if kind in (STARTED, NOT_STARTED) and token in self._starting:
            failed = kind == NOT_STARTED
            if failed and value <= 0:
                return False
            started = self._starting.pop(token)
            if failed:
                self._running.pop(token).cancel()
            if not started.done():
                started.set_result(value if failed else 0)
            return True
        if kind == ENDED and token in self._running and token not in self._starting:
            self._running.pop(token).set_result(_exit_status(value))
            return True
        if kind == KILLED and token in self._kills:
            killed = self._kills.pop(token)
            if not killed.done():
                killed.set_result(None)
            return True
        return False


def _connection(fd: int) -> socket.socket | None:
    """Return what PID 1 passed if it is what was asked for; else None, and it is still open."""
    try:
        connection = socket.socket(fileno=fd)
    except OSError:
        return None
    # SECURITY: nothing else is ever written to: no file, no device, no other kind of socket.
    wanted = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if (connection.family, connection.type, connection.proto) != wanted:
        connection.detach()
        return None
    connection.setblocking(False)
    return connection


async def _established(connection: socket.socket, port: int) -> socket.socket:
    """Wait until a connection to a port of the loopback stands.

    Raises:
        OSError: it does not, or leads to elsewhere; it is closed.
    """
    loop = asyncio.get_running_loop()
    writable = loop.create_future()
    loop.add_writer(connection, _settle, writable)
    try:
        await writable
        number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number != 0:
            raise OSError(number, os.strerror(number))
        if connection.getpeername() != (_LOOPBACK, port):
            raise ConnectionAbortedError("PID 1 handed out another connection")
    except BaseException:
        loop.remove_writer(connection)
        connection.close()
        raise
    loop.remove_writer(connection)
    return connection


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _exit_status(wait_status: int) -> ExitStatus:
    if os.WIFSIGNALED(wait_status):
        number = os.WTERMSIG(wait_status)
        try:
            return ExitStatus(signal=signal.Signals(number))
        except ValueError:
            return ExitStatus(signal=number)
    return ExitStatus(code=os.WEXITSTATUS(wait_status))


def _spawn_message(token: int, process: ProcessSpec) -> bytes:
    variables: Mapping[str, str] = process.environment
    if process.telemetry:
        variables = {**variables, "_LAMBDA_TELEMETRY_LOG_FD": str(TELEMETRY_FD)}
    texts = [process.cwd, *process.argv, *(f"{name}={value}" for name, value in variables.items())]
    encoded = [text.encode(errors="surrogateescape") for text in texts]
    flags = TELEMETRY * process.telemetry | FORKED * process.forked
    head = SPAWN_HEAD.pack(SPAWN, token, flags, len(process.argv), len(variables))
    message = head + b"\0".join(encoded)
    if any(b"\0" in text for text in encoded) or not process.argv:
        raise HostUnfit("A program's arguments or variables hold a NUL.", "Remove it.")
    if len(process.inherited) > _INHERITED_MAX:
        raise HostUnfit(f"A program inherits at most {_INHERITED_MAX} descriptors.", "")
    if len(message) > _REQUEST_BYTES_MAX:
        raise HostUnfit("A program's arguments and variables exceed 128 KiB.", "Shorten them.")
    return message
