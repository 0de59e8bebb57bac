"""A whole daemon in a process of its own, for tests that talk to it over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_START_S = 30.0
_STOP_S = 60.0


class DaemonProcess:
    """`lambdad serve` on a free port.

    Attributes:
        endpoint_url: once started.
        stderr: what it printed, as text, once stopped.
    """

    def __init__(
        self,
        data_dir: Path,
        *options: str,
        environ: Mapping[str, str] | None = None,
        user: int | None = None,
        program: Sequence[str] = ("-m", "lambdad"),
    ) -> None:
        """`program` is what Python runs: lambdad, or something that is lambdad but for one flaw."""
        self.data_dir = data_dir
        self.endpoint_url = ""
        self.stderr = ""
        self._options = options
        self._environ = environ or {}
        self._user = user
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start it and return when it says that it is ready.

        Raises:
            RuntimeError: it ended, or was not ready in time; with what it printed.
        """
        with tempfile.TemporaryDirectory() as directory:
            address = f"{directory}/notify"
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.bind(address)
                Path(directory).chmod(0o755)
                Path(address).chmod(0o666)
                channel.settimeout(0.2)
                self._process = self._spawn({"NOTIFY_SOCKET": address})
                self._await_ready(channel)
        return self

    def _spawn(self, extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, *self._program, "serve", "--port", "0"]
        return subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--data-dir", str(self.data_dir), *self._options],
            env={**os.environ, **self._environ, **extra},  # noqa: TID251 - passed on whole
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            user=self._user,
        )

    def _await_ready(self, channel: socket.socket) -> None:
        assert self._process is not None
        for _ in range(int(_START_S / 0.2)):
            try:
                message = channel.recv(4096).decode()
            except TimeoutError:
                if self._process.poll() is not None:
                    break
                continue
            if "READY=1" in message:
                self.endpoint_url = message.split("STATUS=Serving ")[1].split("\n")[0]
                return
        self.kill()
        raise RuntimeError(f"lambdad did not start:\n{self.stderr}")

    def stop(self) -> int:
        """Ask it to stop; returns its exit status when it has."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(_STOP_S)
        self._read_log()
        return status

    def freeze(self) -> None:
        """Let it do nothing more, for good: only :meth:`kill` follows."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it like a power cut does, as far as it is concerned."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(_STOP_S)
        self._read_log()

    @property
    def running(self) -> bool:
        """Whether it is still there."""
        return self._process is not None and self._process.poll() is None

    def _read_log(self) -> None:
        if not self._log.closed:
            self._log.seek(0)
            self.stderr = self._log.read().decode(errors="replace")
            self._log.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.stop()
