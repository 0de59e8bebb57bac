"""The supervisor's end of the launcher: start it, ask it for sandboxes, notice its end.

When the launcher ends, all sandboxes end with it (the kernel kills them); the next request starts
a new one.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import lambdad
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.confinement import Request
from lambdad.sandbox.launcher import MESSAGE_BYTES, UP

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
# The place of the package comes as an argument; the launcher wipes its arguments when it is up.
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from lambdad.sandbox.launcher import main; main(int(sys.argv[2]))"
)


class LauncherProcess:
    """A launcher that is started when needed.

    State: `_process` and `_control` are both there or both None.

    Args:
        first_uid: of the range of users in the template's `/etc/passwd`.
        environments: size of that range.
        seccomp: makes the filter that every sandbox gets.
    """

    def __init__(self, first_uid: int, environments: int, seccomp: Callable[[], bytes]) -> None:
        self._configuration = {"first_uid": first_uid, "environments": environments}
        self._seccomp = seccomp
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process else None

    async def request(self, request: Request, descriptors: Sequence[int]) -> None:
        """Ask for a sandbox; the answer comes on the first descriptor's other end.

        The descriptors stay the caller's, and may be closed afterwards.

        Raises:
            HostUnfit: the launcher cannot be started, or died.
        """
        message = json.dumps(request).encode()
        async with self._lock:
            control = self._control or await self._start()
            try:
                await _send(control, message, descriptors)
            except OSError as error:
                self._reap()
                raise HostUnfit(f"The launcher of sandboxes is gone: {error}.", "Retry.") from error

    async def start(self) -> None:
        """Start it if it is not there.

        Raises:
            HostUnfit: it does not come up.
        """
        async with self._lock:
            if self._control is None:
                await self._start()

    async def _start(self) -> socket.socket:
        seccomp = self._seccomp()
        self._process, control = _popen()
        control.setblocking(False)
        self._control = control
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await _send(control, json.dumps(self._configuration).encode(), ())
                await _send(control, seccomp, ())
                answer = await asyncio.get_running_loop().sock_recv(control, MESSAGE_BYTES)
        except (OSError, TimeoutError) as error:
            self._reap()
            raise HostUnfit(f"The launcher of sandboxes does not start: {error}.", "") from error
        if answer != UP:
            self._reap()
            reason = answer.decode(errors="replace") or "it ended at once"
            raise HostUnfit(f"The launcher of sandboxes cannot work here: {reason}.", "")
        asyncio.get_running_loop().add_reader(control, self._reap)
        return control

    def _reap(self) -> None:
        """The launcher has ended, or is to: forget it."""
        process, control = self._process, self._control
        self._process = self._control = None
        if control is not None:
            asyncio.get_running_loop().remove_reader(control)
            control.close()
        if process is not None:
            process.kill()
            process.wait()

    async def close(self) -> None:
        """End it, and with it every sandbox."""
        async with self._lock:
            self._reap()


def _popen() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process; its parent thread must be one that lives as long as the daemon."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    root = str(Path(lambdad.__file__).parent.parent)
    command = [sys.executable, "-I", "-S", "-B", "-c", _START, root, str(theirs.fileno())]
    try:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={},
            cwd="/",
            pass_fds=(theirs.fileno(),),
            # Not with the terminal's Ctrl-C: the daemon drains first.
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        raise HostUnfit(f"Python cannot be started: {error}.", "") from error
    finally:
        theirs.close()
    return process, ours


async def _send(control: socket.socket, message: bytes, descriptors: Sequence[int]) -> None:
    while True:
        try:
            socket.send_fds(control, [message], list(descriptors))
        except BlockingIOError:
            await _writable(control)
        else:
            return


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _writable(control: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    # A descriptor of its own: the reader of the same socket must stay as it is.
    fd = os.dup(control.fileno())
    loop.add_writer(fd, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_writer(fd)
        os.close(fd)
