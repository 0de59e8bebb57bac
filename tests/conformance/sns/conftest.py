"""Topics and their endpoints, and users who talk to SNS with boto3."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue as Mailbox
from typing import Any

import pytest
from tests.conformance.events.conftest import RECORDER, Queue, client_of

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_NUMBERS = itertools.count(1)


@pytest.fixture
def sns(daemon: DaemonProcess) -> Any:
    return client_of("sns", daemon.endpoint_url)


@pytest.fixture
def unused() -> Callable[[str], str]:
    """Names that nobody else uses."""
    return lambda prefix: f"sns-{prefix}-{next(_NUMBERS)}"


@pytest.fixture
def queue(daemon: DaemonProcess, unused: Callable[[str], str]) -> Callable[..., Queue]:
    """Makes queues."""
    sqs = client_of("sqs", daemon.endpoint_url)
    return lambda **options: Queue(sqs, unused("q"), **options)


@pytest.fixture
def topic(sns: Any, unused: Callable[[str], str]) -> Callable[..., str]:
    """Makes topics; returns the ARN."""

    def make(*, fifo: bool = False, **attributes: str) -> str:
        name = unused("topic") + (".fifo" if fifo else "")
        given = {**attributes, **({"FifoTopic": "true"} if fifo else {})}
        return str(sns.create_topic(Name=name, Attributes=given)["TopicArn"])

    return make


class Web:
    """An HTTP endpoint that keeps what it gets; `answers` are its next status codes."""

    def __init__(self) -> None:
        self.received: Mailbox[tuple[dict[str, str], str]] = Mailbox()
        self.answers: list[int] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                web.received.put(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(web.answers.pop(0) if web.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook?x=1"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def next(self) -> tuple[dict[str, str], Any]:
        """Headers and body of the next request."""
        headers, body = self.received.get(timeout=30)
        return headers, json.loads(body)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.fixture
def recorder(user: Deployer, a_name: Callable[[], str]) -> Callable[[Queue], str]:
    """Makes functions that send their events to a queue; returns the ARN."""

    def make(out: Queue) -> str:
        name = a_name()
        user.deploy(name, {"app.py": RECORDER}, Environment={"Variables": {"OUT": out.url}})
        found = user.lambda_.get_function_configuration(FunctionName=name)
        return str(found["FunctionArn"])

    return make
