"""The supervisor's end of the launcher: start it, ask it for sandboxes, notice its end.

When the launcher ends, all sandboxes end with it (the kernel kills them); the next request starts
a new one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import lambdad
from lambdad.config.sections import SandboxConfig
from lambdad.domain.environments import Mount, Zygote
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import mounts, seccomp
from lambdad.sandbox.confinement import Request
from lambdad.sandbox.launcher import MESSAGE_BYTES, UP, Configuration, Program
from lambdad.sandbox.zygote import PACKAGE_ROOT, PROGRAM

_LOG = logging.getLogger(__name__)
_START_TIMEOUT_S = 30.0
_PACKAGE = Mount(source=Path(lambdad.__file__).parent.parent, target=PACKAGE_ROOT)
# The place of the package comes as an argument; the launcher wipes its arguments when it is up.
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from lambdad.sandbox.launcher import main; main(int(sys.argv[2]))"
)


class LauncherProcess:
    """A launcher that is started when needed.

    State: `_process` is there from its start on, `_control` once it is up.

    Args:
        first_uid: of the range of users in the template's `/etc/passwd`.
        environments: size of that range.
        seccomp: makes the filter that every sandbox gets.
        zygote: the interpreter that it shall be; None for lambdad's own, which forks no runtimes.
    """

    def __init__(
        self,
        first_uid: int,
        environments: int,
        seccomp: Callable[[], bytes],
        zygote: Zygote | None = None,
    ) -> None:
        self._configuration: Configuration = {
            "first_uid": first_uid,
            "environments": environments,
            "program": None if zygote is None else _program(zygote),
        }
        self._mounts = () if zygote is None else (*zygote.mounts, _PACKAGE)
        self._seccomp = seccomp
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = asyncio.Lock()

    @property
    def up(self) -> bool:
        """Whether it can be asked without waiting for its start."""
        return self._control is not None

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
        views = mounts.views_of(self._mounts, 0)
        try:
            self._process, control = _popen()
            control.setblocking(False)
            answer = await _prepared(control, self._configuration, views, seccomp)
        except (OSError, TimeoutError) as error:
            self._reap()
            raise HostUnfit(f"The launcher of sandboxes does not start: {error}.", "") from error
        finally:
            for view in views:
                os.close(view)
        if answer != UP:
            control.close()
            self._reap()
            reason = answer.decode(errors="replace") or "it ended at once"
            raise HostUnfit(f"The launcher of sandboxes cannot work here: {reason}.", "")
        self._control = control
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


class Launchers:
    """lambdad's own launcher, and one zygote per interpreter.

    State: the zygotes, by what they are; None for one that does not work here. Of those that are
    coming up also the tasks, and how many sandboxes have not waited for them.

    Args:
        config: which users there are.
        own: starts a task that is awaited before the backend closes.
    """

    def __init__(
        self, config: SandboxConfig, own: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    ) -> None:
        self._range = (config.first_uid, config.max_environments)
        self._own = own
        self._plain = LauncherProcess(*self._range, seccomp.filter_program)
        self._zygotes: dict[Zygote, LauncherProcess | None] = {}
        self._coming: dict[Zygote, asyncio.Task[None]] = {}
        self._impatient: Counter[Zygote] = Counter()
        self._processors = os.cpu_count() or 1

    async def start(self) -> None:
        """Start lambdad's own; zygotes start when something needs them.

        Raises:
            HostUnfit: it does not come up.
        """
        await self._plain.start()

    async def launcher(self, zygote: Zygote | None) -> tuple[LauncherProcess, bool]:
        """Return what to ask for a sandbox, and whether that forks runtimes.

        A zygote that is not up is started. The first few do not wait for that: one interpreter
        starts faster than a zygote. For more there is no processor, and forks cost a fraction.
        """
        if zygote is None:
            return self._plain, False
        if not self._is_up(zygote) and not self._is_hopeless(zygote):
            coming = self._come_up(zygote)
            self._impatient[zygote] += 1
            if self._impatient[zygote] > self._processors:
                await asyncio.shield(coming)
        launcher = self._zygotes.get(zygote)
        if launcher is not None and launcher.up:
            return launcher, True
        return self._plain, False

    async def prepare(self, zygote: Zygote) -> None:
        """Start a zygote, unless it is up or was found not to work."""
        if not self._is_up(zygote) and not self._is_hopeless(zygote):
            await asyncio.shield(self._come_up(zygote))

    def _come_up(self, zygote: Zygote) -> asyncio.Task[None]:
        coming = self._coming.get(zygote)
        if coming is None:
            coming = self._coming[zygote] = self._own(self._start(zygote))
        return coming

    async def _start(self, zygote: Zygote) -> None:
        launcher = self._zygotes.get(zygote)
        if launcher is None:
            launcher = LauncherProcess(*self._range, seccomp.filter_program, zygote)
            self._zygotes[zygote] = launcher
        try:
            await launcher.start()
        except HostUnfit as error:
            _LOG.warning("%s is started anew for each environment: %s", zygote.argv[0], error)
            self._zygotes[zygote] = None
        finally:
            del self._coming[zygote], self._impatient[zygote]

    def _is_up(self, zygote: Zygote) -> bool:
        launcher = self._zygotes.get(zygote)
        return launcher is not None and launcher.up

    def _is_hopeless(self, zygote: Zygote) -> bool:
        return self._zygotes.get(zygote, self._plain) is None

    async def close(self) -> None:
        """End them, and with them every sandbox."""
        for launcher in (self._plain, *self._zygotes.values()):
            if launcher is not None:
                await launcher.close()


def _program(zygote: Zygote) -> Program:
    return {
        "argv": [*zygote.argv, "-c", PROGRAM],
        "script": zygote.script,
        "modules": list(zygote.modules),
        "environment": dict(zygote.environment),
        "targets": [mount.target for mount in (*zygote.mounts, _PACKAGE)],
        "directories": list(zygote.directories),
    }


async def _prepared(
    control: socket.socket, configuration: Configuration, views: Sequence[int], seccomp: bytes
) -> bytes:
    """Tell a launcher what it needs, and return what it says to that."""
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await _send(control, json.dumps(configuration).encode(), views)
            await _send(control, seccomp, ())
            return await asyncio.get_running_loop().sock_recv(control, MESSAGE_BYTES)
    except BaseException:
        control.close()
        raise


def _popen() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process; its parent thread must be one that lives as long as the daemon."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    root = str(_PACKAGE.source)
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
