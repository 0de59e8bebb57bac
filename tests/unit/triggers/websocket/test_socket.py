"""One WebSocket: frames in, messages out, and what a peer may cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from lambdad.triggers.websocket.socket import MESSAGE_MAX, BufferFull, Socket


class Wire(asyncio.Transport):
    """A transport that keeps what is written and whether it may be read from."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self.closed = False
        self.unread = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unread


class Ears:
    """Keeps what was heard; messages wait until they are let go."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.waiting: list[Callable[[], None]] = []
        self.ends: list[tuple[int, str]] = []
        self.frames = 0

    def opened(self) -> None:
        """Nothing to note."""

    def heard(self) -> None:
        self.frames += 1

    def message(self, text: str, done: Callable[[], None]) -> None:
        self.messages.append(text)
        self.waiting.append(done)

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))


class Line:
    """A socket between a client and somebody who listens."""

    def __init__(self) -> None:
        self.ears, self.wire, self.held = Ears(), Wire(), 0
        self.socket = Socket(self.ears)
        self.socket.begin(self.wire, self.hold)
        self.client = ClientProtocol(parse_uri("ws://x"), state=State.OPEN, max_size=None)

    def hold(self, held: int) -> None:
        self.held = held

    def sent(self) -> bytes:
        return b"".join(self.client.data_to_send())

    def received(self) -> list[Frame]:
        self.client.receive_data(bytes(self.wire.written))
        self.wire.written.clear()
        return [each for each in self.client.events_received() if isinstance(each, Frame)]


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_message_in_pieces_is_one_message() -> None:
    line = Line()
    line.client.send_text(b"ab", fin=False)
    line.client.send_continuation(b"", fin=False)
    line.client.send_continuation(b"c", fin=True)
    for byte in line.sent():
        line.socket.data_received(bytes([byte]))
        await settled()
    assert line.ears.messages == ["abc"]


async def test_a_ping_is_answered() -> None:
    line = Line()
    line.client.send_ping(b"hello")
    line.socket.data_received(line.sent())
    frames = line.received()
    assert [(each.opcode, each.data) for each in frames] == [(Opcode.PONG, b"hello")]
    assert line.ears.frames == 1


async def test_no_more_is_read_while_messages_are_answered() -> None:
    line = Line()
    for number in range(40):
        line.client.send_text(str(number).encode())
    line.socket.data_received(line.sent())
    await settled()
    assert line.ears.messages == ["0", "1", "2", "3"]
    assert not line.wire.reading
    assert line.held > 0
    while line.ears.waiting:
        line.ears.waiting.pop(0)()
    await settled()
    assert line.ears.messages == [str(number) for number in range(40)]
    assert line.wire.reading
    assert line.held == 0


async def test_what_was_said_before_the_end_is_heard() -> None:
    line = Line()
    for number in range(6):
        line.client.send_text(str(number).encode())
    line.client.send_close(1000, "bye")
    line.socket.data_received(line.sent())
    await settled()
    for _ in range(3):
        line.ears.waiting.pop(0)()
    await settled()
    line.socket.connection_lost()
    while line.ears.waiting:
        line.ears.waiting.pop(0)()
    assert line.ears.messages == [str(number) for number in range(6)]
    assert len(line.ears.ends) == 1


async def test_more_frames_than_a_second_may_have_wait() -> None:
    line = Line()
    for _ in range(3_000):
        line.client.send_pong(b"")
    line.socket.data_received(line.sent())
    for _ in range(200):
        await asyncio.sleep(0)
    assert line.ears.frames < 2_500
    assert not line.wire.reading


async def test_a_frame_that_claims_to_be_huge_is_refused_before_it_comes() -> None:
    line = Line()
    line.socket.data_received(b"\x81\xff" + (2**62).to_bytes(8, "big") + b"mask")
    frames = line.received()
    assert frames[-1].opcode is Opcode.CLOSE
    assert int.from_bytes(frames[-1].data[:2], "big") == 1009
    assert line.wire.closed
    line.socket.connection_lost()
    assert line.ears.ends[0][0] == 1009


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x82\x81\x00\x00\x00\x00x", 1003),
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),
        (b"\x81\x01x", 1002),
        (b"\x80\x81\x00\x00\x00\x00x", 1002),
        (b"\xf1\x81\x00\x00\x00\x00x", 1002),
    ],
)
async def test_what_breaks_the_protocol_ends_the_connection(frame: bytes, code: int) -> None:
    line = Line()
    line.socket.data_received(frame)
    assert int.from_bytes(line.received()[-1].data[:2], "big") == code
    line.socket.connection_lost()
    assert line.ears.ends[0][0] == code
    assert line.ears.messages == []


async def test_messages_go_out_in_frames_of_32_kilobytes() -> None:
    line = Line()
    line.socket.send(b"x" * MESSAGE_MAX)
    frames = line.received()
    assert [(len(each.data), each.fin) for each in frames] == [
        (32_768, False),
        (32_768, False),
        (32_768, False),
        (32_768, True),
    ]


async def test_nothing_is_kept_for_a_peer_that_does_not_read() -> None:
    line = Line()
    line.wire.unread = 1024 * 1024
    with pytest.raises(BufferFull):
        line.socket.send(b"x")
    line.socket.pause_writing()
    line.client.send_text(b"a")
    line.socket.data_received(line.sent())
    await settled()
    assert line.ears.messages == []
    line.socket.resume_writing()
    await settled()
    assert line.ears.messages == ["a"]


async def test_an_end_without_farewell_is_abnormal() -> None:
    line = Line()
    line.socket.connection_lost()
    line.socket.connection_lost()
    assert line.ears.ends == [(1006, "Connection closed abnormally")]
    line.socket.send(b"nobody hears this")
    line.socket.close(1000)
