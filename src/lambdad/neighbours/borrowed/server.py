"""Moto in one process of its own: started when it is first needed, again when it has ended.

Mutable: the process and the socket it listens on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from lambdad.api.context import ServiceContext
from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.forwarding import Streams, forward
from lambdad.neighbours.refusals import refuse
from lambdad.protocol.http import HttpRequest, HttpResponse

_LOGGER = logging.getLogger(__name__)
_START_S = 120.0
_ERROR, _SERVER_ERROR = 400, 500
_END_S = 5.0
_PROGRAM = "lambdad.neighbours.borrowed.program"
# Nothing of the daemon's own credentials and settings reaches it.
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "lambdad",
    "AWS_SECRET_ACCESS_KEY": "lambdad",
    "AWS_EC2_METADATA_DISABLED": "true",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}


def installed() -> bool:
    """Whether moto is there, which `pip install 'lambdad[neighbours]'` sees to."""
    return find_spec("moto") is not None and find_spec("flask") is not None


class Moto:
    """Serves whatever service moto knows. See `front.Server`."""

    kind = "moto"

    def __init__(self, directory: Path) -> None:
        """`directory` is for its journal and its socket."""
        self._directory = directory
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def handle(
        self, request: HttpRequest, service: str, caller: ServiceContext[None]
    ) -> HttpResponse:
        """Hand the request on, in the caller's account."""
        await self._running()
        account = {"x-moto-account-id": caller.account_id}
        response = await forward(request, self._connect, account)
        html = response.headers.get("Content-Type", "").startswith("text/html")
        if response.status < _SERVER_ERROR and not (html and response.status >= _ERROR):
            return response
        # So moto answers what it does not know: in HTML, and clients would try again.
        if response.pieces is not None:
            await response.pieces.aclose()
        _LOGGER.warning("moto does not serve %s %s %s", service, request.method, request.path[:128])
        return refuse(request, service, caller.request_id)

    async def answers(self) -> bool:
        """Whether it runs, or could."""
        return installed()

    async def start(self) -> None:
        """Nothing runs before somebody asks."""

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """End the process; its state stands in the journal."""
        async with self._lock:
            process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            async with asyncio.timeout(_END_S):
                await process.wait()

    async def _running(self) -> None:
        if self._process is not None and self._process.returncode is None:
            return
        async with self._lock:
            if self._process is None or self._process.returncode is not None:
                self._process = await self._start()

    async def _start(self) -> asyncio.subprocess.Process:
        if not installed():
            raise HostUnfit(
                "The package moto is not installed.", "Run: pip install 'lambdad[neighbours]'"
            )
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener, log = self._listen(), (self._directory / "log").open("wb")
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _PROGRAM,
                str(listener.fileno()),
                str(self._directory / "journal"),
                str(os.getpid()),
                pass_fds=[listener.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        finally:
            listener.close()
            log.close()
        await self._await_ready(process)
        return process

    async def _await_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            async with asyncio.timeout(_START_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        except BaseException:
            process.kill()
            raise
        if line.strip() != b"ready":
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise HostUnfit("Moto did not start.", f"{self._directory / 'log'} says why.")
        _LOGGER.info("moto runs as process %s", process.pid)

    def _listen(self) -> socket.socket:
        """Return a listening socket, however long the path of the data directory is."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
        try:
            (self._directory / "socket").unlink(missing_ok=True)
            listener.bind(f"/proc/self/fd/{directory}/socket")
            listener.listen(128)
        finally:
            os.close(directory)
        return listener

    async def _connect(self) -> Streams:
        directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
        try:
            return await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/socket")
        finally:
            os.close(directory)
