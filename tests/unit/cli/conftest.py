"""A real, small HTTP server that answers as a test says, and a runner of commands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from lambdad.cli.main import main

VARIABLES = (
    "LAMBDAD_CONFIG",
    "LAMBDAD_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says."""

    status: int
    headers: dict[str, str]
    body: bytes


class Endpoint:
    """Answers requests in turn and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: list[Answer] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                endpoint.seen.append(Seen(self.command, self.path, dict(self.headers), body))
                answer = endpoint.answers.pop(0)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST  # noqa: N815 - http.server's name

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def will_answer(
        self, body: bytes = b"{}", *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Queue the answer to one more request."""
        self.answers.append(Answer(status, headers or {}, body))

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.close()


@pytest.fixture
def closed_endpoint() -> str:
    """An address at which nobody listens."""
    server = Endpoint()
    server.close()
    return server.url


Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Run a command; variables of the developer's shell do not reach it."""
    clean = dict.fromkeys(VARIABLES)

    def invoke(*arguments: str, env: dict[str, str] | None = None, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(main, list(arguments), env={**clean, **(env or {})}, input=stdin)

    return invoke
