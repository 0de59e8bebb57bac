"""The floor of an invocation: an HTTP request, a frame to another process and back, an answer.

It does what cannot be left out of handing a request to a handler in another process, and nothing
else: no routing, no identity, no deadline, no freezing, no log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterator

import httptools
import uvloop

_LENGTH = struct.Struct("!I")
_WORKERS = 2


class _Worker(asyncio.Protocol):
    """One handler process; who waits for its answer."""

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._received = b""
        self.client: _Client | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._pool.idle.append(self)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        if len(received) < 4 or len(received) < (end := _LENGTH.unpack_from(received)[0] + 4):
            self._received = received
            return
        self._received = b""
        client, self.client = self.client, None
        assert client is not None
        client.answer(received[4:end])
        self._pool.free(self)

    def serve(self, client: _Client, body: bytes) -> None:
        self.client = client
        self.transport.write(_LENGTH.pack(len(body)) + body)


class _Pool:
    def __init__(self) -> None:
        self.idle: list[_Worker] = []
        self._waiting: deque[tuple[_Client, bytes]] = deque()

    def submit(self, client: _Client, body: bytes) -> None:
        if self.idle:
            self.idle.pop().serve(client, body)
        else:
            self._waiting.append((client, body))

    def free(self, worker: _Worker) -> None:
        if self._waiting:
            worker.serve(*self._waiting.popleft())
        else:
            self.idle.append(worker)


class _Client(asyncio.Protocol):
    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._pool.submit(self, self._body)

    def answer(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)


def _work(descriptor: int) -> None:
    """Be a handler process: decode the event, encode the answer."""
    channel = socket.socket(fileno=descriptor)
    received = b""
    while piece := channel.recv(65536):
        received += piece
        if len(received) >= 4 and len(received) >= (end := _LENGTH.unpack_from(received)[0] + 4):
            answer = json.dumps(json.loads(received[4:end])).encode()
            received = received[end:]
            channel.sendall(_LENGTH.pack(len(answer)) + answer)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    pool = _Pool()
    for _ in range(_WORKERS):
        ours, theirs = socket.socketpair()
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.three_hop", str(theirs.fileno())),
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        await loop.create_unix_connection(lambda: _Worker(pool), sock=ours)
    server = await loop.create_server(lambda: _Client(pool), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], os.getpid(), flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def three_hop_server() -> Iterator[tuple[str, int]]:
    """Run it in processes of its own; gives the URL and the number of the server's process."""
    command = [sys.executable, "-m", "benchmarks.three_hop"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port, pid = map(int, process.stdout.readline().split())
            yield f"http://127.0.0.1:{port}", pid
        finally:
            process.terminate()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _work(int(sys.argv[1]))
    else:
        uvloop.run(_serve())
