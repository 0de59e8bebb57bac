"""The process that runs moto: `python -m …borrowed.program SOCKET JOURNAL PARENT`.

Serves HTTP on a socket that it inherits, one request at a time, as moto keeps no locks. Ends with
its parent. Requests that change something are journalled, and run again when it starts.
"""

from __future__ import annotations

import ctypes
import io
import os
import random
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from lambdad.neighbours.borrowed import corrections, time_travel
from lambdad.neighbours.borrowed.journal import Entry, Journal

_PR_SET_PDEATHSIG = 1
_READS = re.compile(
    r"(?:Batch)?(?:Check|Decrypt|Describe|Encrypt|Estimate|Filter|Generate|Get|Head|List|Lookup"
    r"|Query|ReEncrypt|Scan|Search|Select|Sign|Simulate|Test|Validate|Verify)(?=[A-Z]|$)"
)
_SAFE = ("GET", "HEAD", "OPTIONS")

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def changes(method: str, target: str, query: str, body: bytes, content_type: str) -> bool:
    """Whether a request may change anything; when in doubt it does."""
    operation = target.rpartition(".")[2]
    if not operation:
        form = body.decode("latin-1") if "form-urlencoded" in content_type else query
        operation = parse_qs(form).get("Action", [""])[0]
    if operation:
        return _READS.match(operation) is None
    return method not in _SAFE


class Journalled:
    """A WSGI application around moto's. Mutable: moto's state."""

    def __init__(self, application: Application, journal: Journal, moto_random: Any) -> None:
        self._application = application
        self._journal = journal
        self._random = moto_random
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        changing = changes(
            environ["REQUEST_METHOD"],
            environ.get("HTTP_X_AMZ_TARGET", ""),
            environ.get("QUERY_STRING", ""),
            body,
            environ.get("CONTENT_TYPE", ""),
        )
        with self._lock:
            if not changing:
                status, headers, answer = self._run(environ)
            else:
                status, headers, answer = self._change(environ, body)
        start_response(status, headers)
        return [answer]

    def replay(self) -> None:
        """Bring moto to the state that the journal leads to."""
        for entry in self._journal.replay():
            time_travel.Clock.pinned_s = entry.time_s
            self._seed(entry.number)
            self._run(_environ(entry))
        time_travel.Clock.pinned_s = None

    def _change(self, environ: dict[str, Any], body: bytes) -> tuple[str, list[Any], bytes]:
        self._journal.last_number += 1
        number, time_s = self._journal.last_number, time_travel.Clock.time()
        self._seed(number)
        # What is made now must be made again with the same time.
        time_travel.Clock.pinned_s = time_s
        try:
            status, headers, answer = self._run(environ)
        finally:
            time_travel.Clock.pinned_s = None
        if int(status.split()[0]) < 400:
            self._journal.append(_entry(environ, body, number, time_s))
        return status, headers, answer

    def _seed(self, number: int) -> None:
        seed = self._journal.seed(number)
        self._random.seed(seed)
        random.seed(seed)

    def _run(self, environ: dict[str, Any]) -> tuple[str, list[Any], bytes]:
        captured: list[Any] = []

        def start(status: str, headers: list[Any], _: Any = None) -> None:
            captured[:] = [status, headers]

        answer = b"".join(self._application(environ, start))
        return captured[0], captured[1], answer


def _entry(environ: dict[str, Any], body: bytes, number: int, time_s: float) -> Entry:
    kept = ("HTTP_", "CONTENT_", "SERVER_", "REMOTE_ADDR")
    headers = {
        name: value
        for name, value in environ.items()
        if name.startswith(kept) and isinstance(value, str)
    }
    return Entry(
        number=number,
        time_s=time_s,
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/"),
        query=environ.get("QUERY_STRING", ""),
        headers={**headers, "RAW_URI": environ.get("RAW_URI", "")},
        body=body,
    )


def _environ(entry: Entry) -> dict[str, Any]:
    return {
        **entry.headers,
        "REQUEST_METHOD": entry.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": entry.path,
        "QUERY_STRING": entry.query,
        "REQUEST_URI": entry.headers.get("RAW_URI", entry.path),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(entry.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _end_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the daemon has ended")


def _seeded_urandom(moto_random: Any) -> None:
    """Let keys and tokens that moto makes be the same when they are made again."""
    os.urandom = moto_random.randbytes


def main(descriptor: int, journal: Path, parent: int) -> None:
    """Serve until the parent ends."""
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kept = Journal(journal)
    time_travel.install()
    from moto.moto_api._internal import mock_random  # noqa: PLC0415 - after the clock
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415

    class Quiet(WSGIRequestHandler):
        """Says nothing of requests, and takes connections without an address."""

        def address_string(self) -> str:
            return "127.0.0.1"

        def log(self, type: str, message: str, *args: Any) -> None:
            """Nothing."""

    corrections.install()
    _seeded_urandom(mock_random)
    application = Journalled(DomainDispatcherApplication(create_backend_app), kept, mock_random)
    application.replay()
    listener = socket.socket(fileno=descriptor)
    name = listener.getsockname()
    server = make_server(
        f"unix://{name}", 0, application, threaded=True, request_handler=Quiet, fd=descriptor
    )
    print("ready", flush=True)  # noqa: T201 - the parent waits for it
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
