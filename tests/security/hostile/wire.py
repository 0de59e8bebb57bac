"""Abuses the Runtime API and the AWS endpoint inside the sandbox, byte by byte."""

# ruff: noqa: PTH123, SIM105

import json
import os
import socket
import threading
import time

RUNTIME = ("127.0.0.1", 9001)
MIB = 1024 * 1024
_PREFIX = "/2018-06-01/runtime"


def endpoint():
    host, _, port = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://").partition(":")
    return host, int(port)


def _connect(address):
    it = socket.create_connection(address, timeout=10)
    it.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return it


def _answer(connection):
    """Status and body of one response; `closed` when there is none."""
    file = connection.makefile("rb")
    try:
        line = file.readline()
        if not line:
            return "closed", ""
        length = 0
        while (header := file.readline()) not in (b"\r\n", b""):
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return int(line.split()[1]), file.read(length).decode(errors="replace")[:300]
    except ConnectionError:
        return "closed", ""
    except TimeoutError:
        return "silence", ""


def _call(method, path, body=b"", headers=(), address=RUNTIME):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    with _connect(address) as connection:
        try:
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        except ConnectionError:
            pass
        return _answer(connection)


def _status(*arguments, **named):
    return _call(*arguments, **named)[0]


def forge(context, others):
    """Answer invocations that are not one's own; ask again before answering; use every path."""
    found = {
        f"other {n}": _call("POST", f"{_PREFIX}/invocation/{other}/response", b'"forged"')
        for n, other in enumerate(others)
    }
    for name, path in (
        ("dots", "/../../x"),
        ("encoded", "/%2e%2e"),
        ("long", "/" + "a" * 10_000),
        ("other", "/2018-06-01/runtime/invocation/response"),
    ):
        found[name] = _status("POST", path, b"x")
    found["next while running"] = _call("GET", f"{_PREFIX}/invocation/next")
    found["init error while running"] = _call("POST", f"{_PREFIX}/init/error", b"{}")
    found["id in pieces"] = _status(
        "POST", f"{_PREFIX}/invocation/{context.aws_request_id[:8]}/response"
    )
    found["extension"] = _status("POST", "/2020-01-01/extension/register", b"{}")
    return found


def answer_twice(context):
    """Answer oneself, then again, then by the handler."""
    path = f"{_PREFIX}/invocation/{context.aws_request_id}/response"
    first = _call("POST", path, b'"mine"')
    second = _call("POST", path, b'"again"')
    _LAST.append((first, second, _call("POST", path.replace("response", "error"), b"{}")))
    return "by the handler"


_LAST = []


def last():
    return _LAST[-1] if _LAST else None


def steal_next(path):
    """Let a child ask for the next invocation as soon as this one is answered."""
    if os.fork():
        return "asked"
    while True:
        status, body = _call("GET", f"{_PREFIX}/invocation/next")
        with open(path, "a") as file:
            file.write(json.dumps([status, body]) + "\n")
        time.sleep(0.01)


def garbage(which):
    """Bytes that are no HTTP, heads without end, bodies without end."""
    return _garbage(RUNTIME if which == "runtime" else endpoint())


def _garbage(address):
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\n"
    return {
        "zeros": _send(address, [bytes(1000)]),
        "random": _send(address, [os.urandom(100_000)]),
        "tls": _send(address, [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500)]),
        "endless header": _send(address, [head + b"X: ", *[b"x" * 65536] * 64]),
        "endless headers": _send(address, [head, *[b"X-A: b\r\n" * 8192] * 64]),
        "endless target": _send(address, [b"GET /", *[b"x" * 65536] * 64]),
        "endless chunks": _send(
            address, [head + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 4096]
        ),
        "tiny chunks": _send(
            address,
            [head + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n" * 10_000] * 400],
        ),
        "chunk extension": _send(
            address, [head + b"Transfer-Encoding: chunked\r\n\r\n1;", *[b"x" * 65536] * 2048]
        ),
        "two lengths": _send(address, [head + b"Content-Length: 1\r\nContent-Length: 9\r\n\r\nxx"]),
        "length and chunks": _send(
            address, [head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
        ),
        "negative length": _send(address, [head + b"Content-Length: -1\r\n\r\n"]),
        "huge length": _send(address, [head + b"Content-Length: 99999999999999999999\r\n\r\n"]),
        "connect": _send(address, [b"CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n"]),
        "http/2": _send(address, [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]),
    }


def _send(address, pieces):
    with _connect(address) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except (ConnectionError, OSError):
            pass
        return _answer(connection)[0]


def crowd(which, number):
    """So many connections at once; how many of them answer a request."""
    address = RUNTIME if which == "runtime" else endpoint()
    kept = []
    for _ in range(number):
        try:
            kept.append(_connect(address))
        except OSError:
            break
    for connection in kept:
        connection.settimeout(2)
        try:
            connection.sendall(b"GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            continue
    answered = 0
    for connection in kept:
        try:
            answered += _answer(connection)[0] not in ("closed", "silence")
        except OSError:
            continue
    for connection in kept:
        connection.close()
    return {"opened": len(kept), "answered": answered}


def slow(which, number, seconds):
    """Connections that send a byte now and then, and never a whole request."""
    address = RUNTIME if which == "runtime" else endpoint()
    kept = [_connect(address) for _ in range(number)]
    for connection in kept:
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nX-")
    end_at = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < end_at:
        for connection in kept:
            try:
                connection.send(b"a")
                sent += 1
            except OSError:
                continue
        time.sleep(0.1)
    return sent


def large_answer(mebibytes):
    """Return more than a function may."""
    return "x" * (mebibytes * MIB)


def post_large(context, mebibytes):
    """The same, past the guest."""
    body = b'"' + b"x" * (mebibytes * MIB) + b'"'
    _LAST.append(_call("POST", f"{_PREFIX}/invocation/{context.aws_request_id}/response", body))
    return "by the handler"


def unread(context, seconds):
    """Ask for much and read nothing."""
    kept = []
    request = b"GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    end_at = time.monotonic() + seconds
    for _ in range(16):
        connection = _connect(RUNTIME)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        connection.setblocking(False)
        kept.append(connection)
    sent = 0
    while time.monotonic() < end_at:
        for connection in kept:
            try:
                sent += connection.send(request)
            except OSError:
                continue
        time.sleep(0.001)
    return sent


def parked_and_piped(mebibytes, stage):
    """Keep a `next` unanswered for ever, and send requests behind it."""
    if stage == 0:
        # Two ask at once: only one of them can be answered.
        def ask():
            connection = _connect(RUNTIME)
            _PARKED.append(connection)
            connection.sendall(
                f"GET {_PREFIX}/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )

        def later():
            time.sleep(0.001)
            for _ in range(8):
                ask()

        threading.Thread(target=later).start()
        return "prepared"
    body = b"x" * (5 * MIB)
    request = f"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    sent = 0
    for connection in _PARKED:
        connection.settimeout(1)
        try:
            for _ in range(mebibytes // 5):
                connection.sendall(request)
                sent += 5
        except OSError:
            continue
    return sent


_PARKED = []


def half_bodies(which, number, mebibytes, path="/2015-03-31/functions"):
    """Bodies that lack their last byte, on many connections at once."""
    address = RUNTIME if which == "runtime" else endpoint()
    size = mebibytes * MIB
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
    block = b"x" * MIB
    connections = [_connect(address) for _ in range(number)]
    sent = [0] * number

    def push(n):
        try:
            connections[n].sendall(head)
            for _ in range(mebibytes - 1):
                connections[n].sendall(block)
                sent[n] += 1
        except OSError:
            return

    threads = [threading.Thread(target=push, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sent)


def whole_bodies(number, mebibytes, seconds):
    """Whole requests that are costly to read, on many connections at once, for some time."""
    size = mebibytes * MIB
    body = b'{"FunctionName":"x","Code":{"ZipFile":"' + b"A" * (size - 42) + b'"}}'
    lines = ["POST /2015-03-31/functions HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    credential = "Credential=000000000000/20260101/us-east-1/lambda/aws4_request"
    lines.append(f"Authorization: AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0")
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    statuses = {}
    end_at = time.monotonic() + seconds

    def push():
        while time.monotonic() < end_at:
            try:
                with _connect(endpoint()) as connection:
                    connection.settimeout(60)
                    try:
                        connection.sendall(head)
                        connection.sendall(body)
                    except ConnectionError:
                        pass
                    status = str(_answer(connection)[0])
            except OSError as error:
                status = type(error).__name__
            statuses[status] = statuses.get(status, 0) + 1

    threads = [threading.Thread(target=push) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def many_calls(seconds, connections):
    """As many small requests as it can."""
    request = b"GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n" * 500
    kept = [_connect(RUNTIME) for _ in range(connections)]
    end_at = time.monotonic() + seconds
    asked = 0
    while time.monotonic() < end_at:
        for connection in kept:
            connection.sendall(request)
            asked += 500
        for connection in kept:
            connection.recv(MIB)
    return asked
