"""Peers of WebSocket APIs who mean harm: the daemon answers others as if they were not there."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.firing_range import Range
from lambdad.testing.http_apis import ApiUser

pytestmark = [pytest.mark.slow]

ECHO = """
def handler(event, context):
    context = event["requestContext"]
    return {"statusCode": 200, "body": context["connectionId"]}
"""
FUNCTION = "websocket-peers"
MEMORY_MAX = 150 * 1024 * 1024


class Sockets:
    """A WebSocket API whose default route answers with the connection's identifier."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon
        self.user = ApiUser(daemon)
        client = self.user.client
        arn = self.user.deploy(FUNCTION, ECHO)
        api = client.create_api(
            Name="peers", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a"
        )["ApiId"]
        more = {"RouteResponseSelectionExpression": "$default"}
        route = self.user.route(api, "$default", self.user.function(arn, "1.0"), **more)
        client.create_route_response(ApiId=api, RouteId=route, RouteResponseKey="$default")
        client.create_stage(ApiId=api, StageName="s", AutoDeploy=True)
        self.address = daemon.endpoint_url.removeprefix("http://")
        self.path = f"/_aws/execute-api/{api}/s"
        self.api = api

    def raw(self, more: bytes = b"") -> socket.socket:
        """Return a connection whose handshake is done, without a library's good manners."""
        host, _, port = self.address.partition(":")
        peer = socket.create_connection((host, int(port)), timeout=30)
        head = (
            f"GET {self.path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        peer.sendall(head.encode() + more)
        if not more:
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += peer.recv(1)
            assert answer.startswith(b"HTTP/1.1 101")
        return peer

    def serves_others(self) -> None:
        """See that the daemon answers somebody else, a function's caller and a new connection."""
        with urllib.request.urlopen(  # noqa: S310 - our own daemon
            f"{self.daemon.endpoint_url}/_lambdad/health", timeout=30
        ) as health:
            assert health.status == 200
        with connect(f"ws://{self.address}{self.path}", open_timeout=30) as friend:
            friend.send("hello")
            assert len(str(friend.recv(timeout=30))) == 16

    def memory(self) -> int:
        """Bytes of memory that the daemon has."""
        pages = Path(f"/proc/{self.daemon.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def sockets(made: Range) -> Sockets:
    made.deployed.add(FUNCTION)
    return Sockets(made.daemon)


def flood(peer: socket.socket, frame: bytes, until: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not until.is_set():
            peer.sendall(frame * 2_000)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x89\x80\x00\x00\x00\x00",
        b"\x8a\x80\x00\x00\x00\x00",
        b"\x81\x80\x00\x00\x00\x00",
        b"\x81\xfe\x7f\xff\x00\x00\x00\x00" + b"x" * 32_767,
    ],
    ids=["pings", "pongs", "empty messages", "large messages"],
)
def test_a_peer_that_floods_is_slowed_and_nobody_else_is(sockets: Sockets, frame: bytes) -> None:
    before, over = sockets.memory(), threading.Event()
    peers = [sockets.raw() for _ in range(3)]
    for peer in peers:
        peer.settimeout(1)
    floods = [threading.Thread(target=flood, args=(peer, frame, over)) for peer in peers]
    for each in floods:
        each.start()
    try:
        sockets.serves_others()
        sockets.serves_others()
    finally:
        over.set()
        for peer in peers:
            peer.close()
        for each in floods:
            each.join()
    assert sockets.memory() - before < MEMORY_MAX


def test_a_peer_that_never_reads_is_not_sent_to_without_end(sockets: Sockets) -> None:
    client: Any = sockets.user.service(
        "apigatewaymanagementapi", f"{sockets.daemon.endpoint_url}{sockets.path}"
    )
    peer = sockets.raw()
    peer.sendall(b"\x81\x81\x00\x00\x00\x00x")
    answer = peer.recv(18)
    connection_id = answer[2:].decode()
    before = sockets.memory()

    def send_without_end() -> None:
        for _ in range(400):
            client.post_to_connection(ConnectionId=connection_id, Data=b"x" * (128 * 1024))

    with pytest.raises(client.exceptions.LimitExceededException):
        send_without_end()
    assert sockets.memory() - before < MEMORY_MAX
    sockets.serves_others()
    peer.close()


def test_a_frame_that_claims_to_be_huge_ends_its_connection(sockets: Sockets) -> None:
    answer = b""
    with sockets.raw() as peer:
        peer.sendall(b"\x81\xff" + struct.pack("!Q", 2**62) + b"mask")
        while piece := peer.recv(4096):
            answer += piece
    assert answer[2:4] == struct.pack("!H", 1009)
    sockets.serves_others()


def test_who_speaks_before_the_answer_is_left(sockets: Sockets) -> None:
    with (
        sockets.raw(b"\x81\x80\x00\x00\x00\x00" * 100) as peer,
        contextlib.suppress(ConnectionError),
    ):
        while peer.recv(4096):
            pass
    sockets.serves_others()


def test_peers_that_vanish_leave_nothing_behind(sockets: Sockets) -> None:
    descriptors = Path(f"/proc/{sockets.daemon.pid}/fd")
    sockets.serves_others()
    before = len(list(descriptors.iterdir()))
    for _ in range(50):
        peer = sockets.raw()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    deadline = time.monotonic() + 30
    while len(list(descriptors.iterdir())) > before + 10:
        assert time.monotonic() < deadline
        sockets.serves_others()
