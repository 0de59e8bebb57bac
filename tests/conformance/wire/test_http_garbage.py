"""Bytes that are no request, or no honest one: refused or dropped, never a burden."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.deploy import ROLE, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

MIB = 1024 * 1024
CREATE = b"POST /2015-03-31/functions HTTP/1.1\r\nHost: x\r\n"
INVOKE = b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\n"
LIST = b"GET /2015-03-31/functions HTTP/1.1\r\nHost: x\r\n\r\n"


def talk(target: Any, data: bytes, *, end: bool = True) -> bytes:
    """Send all at once, then no more; everything that comes back until the connection ends."""
    received = b""
    with target.connect() as connection:
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            while block := connection.recv(65536):
                received += block
        except ConnectionError:
            pass  # the daemon need not read to the end what it has refused
    return received


def statuses(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


REFUSED: dict[str, tuple[bytes, int]] = {
    "no method": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400),
    "text": (b"hello\r\n\r\n", 400),
    "unknown version": (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    "no version": (b"GET /\r\n\r\n", 505),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a proxy's request": (b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "bad header": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "bare line feed in a header": (b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400),
    "NUL in a header": (b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 400),
    "two lengths": (CREATE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", 400),
    "length and chunks": (
        CREATE + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "negative length": (CREATE + b"Content-Length: -1\r\n\r\n", 400),
    "no number": (CREATE + b"Content-Length: many\r\n\r\n", 400),
    "vast length": (CREATE + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "length beyond the limit": (CREATE + b"Content-Length: 9999999999\r\n\r\n", 413),
    "unknown coding": (CREATE + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "bad chunk": (CREATE + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "expectation": (CREATE + b"Expect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}", 417),
    "huge header": (b"GET / HTTP/1.1\r\nA: " + b"x" * (2 * MIB) + b"\r\n\r\n", 431),
    "huge path": (b"GET /" + b"x" * (2 * MIB) + b" HTTP/1.1\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000 + b"\r\n", 431),
    "header without end": (b"GET / HTTP/1.1\r\nA: " + b"x" * (3 * MIB), 431),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_request_is_refused_and_the_connection_closed(target: Any, case: str) -> None:
    data, status = REFUSED[case]
    answer = talk(target, data)
    # The answer to a large one may be lost: the connection is reset while it is being sent.
    assert statuses(answer) == [status] or (len(data) > MIB and answer == b"")
    assert b"Traceback" not in answer
    assert target.healthy()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"GET",
        LIST[:-2],
        CREATE + b"Content-Length: 100\r\n\r\n{",
        CREATE + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
        INVOKE + b"Content-Length: 6000000\r\n\r\n" + b"x" * 1_000_000,
    ],
    ids=[
        "nothing",
        "empty lines",
        "half a line",
        "half a head",
        "half a body",
        "half a chunk",
        "1 of 6 MB",
    ],
)
def test_what_breaks_off_is_dropped_without_an_answer(target: Any, data: bytes) -> None:
    assert talk(target, data) == b""
    assert target.healthy()


def test_requests_one_behind_the_other_are_answered_in_order(target: Any) -> None:
    one = b"GET /2015-03-31/functions/f%d HTTP/1.1\r\nHost: x\r\n\r\n"
    many = b"".join(one % number for number in range(500))
    answer = talk(target, many)
    assert statuses(answer) == [404] * 500
    assert re.findall(rb"function:f(\d+)", answer) == [b"%d" % n for n in range(500)]


def test_a_refusal_comes_behind_the_answers_before_it(target: Any) -> None:
    assert statuses(talk(target, LIST + LIST + b"\x00garbage\r\n\r\n")) == [200, 200, 400]


def test_a_smuggled_request_is_none(target: Any) -> None:
    """What one reader takes for a body the next one must not take for a request."""
    body = b"0\r\n\r\n" + LIST
    for framing in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(body),
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n" % len(body),
        b"Transfer-Encoding:\x0bchunked\r\nContent-Length: %d\r\n" % len(body),
    ):
        answer = talk(target, CREATE + framing + b"\r\n" + body)
        assert 200 not in statuses(answer)
        assert len(statuses(answer)) <= 1


def test_a_client_that_waits_for_continue_is_told(target: Any) -> None:
    with target.connect() as connection:
        connection.sendall(CREATE + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    with target.connect() as connection:
        connection.sendall(CREATE + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 413 ")


def test_a_request_may_come_byte_by_byte(target: Any) -> None:
    request = (
        CREATE + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    received = b""
    with target.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(len(request)):
            connection.sendall(request[position : position + 1])
        while block := connection.recv(65536):
            received += block
    assert statuses(received) == [400]
    assert b"ValidationException" in received


def test_many_unfinished_requests_cost_little_and_block_nobody(target: Any) -> None:
    before = target.resident_mib()
    descriptors = target.descriptors()
    connections = [target.connect() for _ in range(300)]
    for connection in connections:
        connection.sendall(INVOKE + b"Content-Length: 6000000\r\n\r\n" + b"x" * 1_000)
    assert target.healthy()
    assert target.resident_mib() < before + 64
    for connection in connections:
        connection.close()
    for _ in asking():
        if target.healthy() and target.descriptors() <= descriptors + 4:
            break
    assert target.descriptors() <= descriptors + 4


def test_the_memory_for_unfinished_bodies_is_bounded(target: Any) -> None:
    """40 clients send 60 MB each and never the rest: some of them are let go."""
    connections = [target.connect() for _ in range(40)]
    block = b"x" * MIB
    dropped = 0
    for connection in connections:
        connection.settimeout(5)
        try:
            connection.sendall(CREATE + b"Content-Length: 69000000\r\n\r\n")
            for _ in range(60):
                connection.sendall(block)
        except (ConnectionError, TimeoutError):
            dropped += 1
    assert dropped > 0
    assert target.healthy()
    for connection in connections:
        connection.close()
    assert target.peak_mib() < 1536


def test_answers_that_nobody_reads_do_not_pile_up(target: Any) -> None:
    """A client asks for some 1.5 GB and reads none of it."""
    for number in range(50):
        target.user.lambda_.create_function(
            FunctionName=f"listed-{number}",
            Runtime="python3.12",
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": zip_of({"app.py": ""})},
            Environment={"Variables": {"LONG": "x" * 1_000}},
        )
    before = target.resident_mib()
    with target.connect() as connection:
        connection.settimeout(2)
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(LIST * 15_000)
        assert all(target.healthy() for _ in range(500))
        assert target.resident_mib() < before + 64
        connection.settimeout(20)
        assert connection.recv(12) == b"HTTP/1.1 200"
    for number in range(50):
        target.user.lambda_.delete_function(FunctionName=f"listed-{number}")
