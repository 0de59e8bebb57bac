"""Carries events from the Runtime API to a Go program, and its answers back.

The process becomes the Go program, so that its end is the runtime's end; a child of it does the
carrying.
"""
# ruff: noqa: TID252

from __future__ import annotations

import json
import os
import signal
import socket
from typing import Any, Dict, Optional

from .rpc import GoError, Program

_PREFIX = "/2018-06-01/runtime/"
_HEADER = "lambda-runtime-"


def main() -> None:
    """Start the function's program and its carrier."""
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    program = os.path.join(root, os.environ.get("_HANDLER", ""))
    if not os.access(program, os.X_OK) or os.path.isdir(program):
        reason = "permission denied" if os.path.exists(program) else "no such file or directory"
        text = f"fork/exec {program}: {reason}"
        document = {"errorMessage": text, "errorType": "PathError"}
        RuntimeApi().fail("init/error", "PathError", document)
        raise SystemExit(1)
    port = _free_port()
    if os.fork() == 0:
        _carry(port)
        os._exit(0)
    environment = {**os.environ, "_LAMBDA_SERVER_PORT": str(port)}
    os.execve(program, [program], environment)  # noqa: S606 - the function's own program


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _carry(port: int) -> None:
    parent = os.getppid()
    api = RuntimeApi()
    program = Program(port)
    while True:
        headers, event = api.next()
        request_id = headers[f"{_HEADER}aws-request-id"]
        path = f"invocation/{request_id}"
        try:
            answer = program.invoke(event, _reader(headers))
        except EOFError:
            # It has ended, and the platform says how.
            return
        except GoError as error:
            api.fail(f"{path}/error", error.error_type, error.document)
            if error.fatal:
                os.kill(parent, signal.SIGTERM)
                return
        else:
            api.post(f"{path}/response", answer)


def _reader(headers: Dict[str, str]) -> Any:
    def header(name: str) -> Optional[str]:
        return headers.get(_HEADER + name)

    return header


class RuntimeApi:
    """The Runtime API over one keep-alive connection."""

    def __init__(self) -> None:
        self._address = os.environ["AWS_LAMBDA_RUNTIME_API"]
        host, _, port = self._address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")

    def next(self) -> Any:
        """Return headers, names in lower case, and body of the next event."""
        return self._exchange("GET", "invocation/next", b"", "")

    def post(self, path: str, body: bytes, more: str = "") -> None:
        """Post a document."""
        self._exchange("POST", path, body, f"Content-Type: application/json\r\n{more}")

    def fail(self, path: str, error_type: str, document: Dict[str, Any]) -> None:
        """Post an error."""
        # Whatever a function calls its error, it cannot add header lines.
        plain = "".join(letter for letter in error_type if letter.isalnum() or letter in "._")
        more = f"Lambda-Runtime-Function-Error-Type: {plain}\r\n"
        self.post(path, json.dumps(document).encode(), more)

    def _exchange(self, method: str, path: str, body: bytes, more: str) -> Any:
        head = f"{method} {_PREFIX}{path} HTTP/1.1\r\nHost: {self._address}\r\n"
        head += f"Content-Length: {len(body)}\r\n{more}\r\n"
        self._socket.sendall(head.encode("latin-1", "replace") + body)
        self._line()
        headers = {}
        while True:
            line = self._line()
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return headers, self._stream.read(int(headers.get("content-length", 0)))

    def _line(self) -> str:
        line = self._stream.readline()
        if not line:
            # The platform has given this environment up: nobody is left to be told more.
            os._exit(1)
        return line.decode("utf-8", "replace").rstrip("\r\n")
