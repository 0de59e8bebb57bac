"""The channel to lambdad's own clients: the Runtime API's rules, hostile frames, bounded memory."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdad.dataplane.runtime_api.channel import RuntimeChannel
from lambdad.dataplane.runtime_api.pipes import Side
from lambdad.dataplane.runtime_api.session import RuntimeEvent, RuntimeSession, RuntimeState
from lambdad.dataplane.streaming import Flow
from lambdad.domain import limits
from lambdad.domain.invocations import Invocation

HEAD = struct.Struct("!IB")
INVOCATION = Invocation(
    request_id="id-1",
    payload=b'{"a": 1}',
    invoked_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
    client_context='{"custom": {"k": "ü"}}',
    tenant_id="blue",
)
EVENT = RuntimeEvent(
    invocation=INVOCATION, trace_header="Root=1-0-0", deadline_ms=1_700_000_000_123
)
NEXT = HEAD.pack(0, ord("N"))


def frame(kind: str, body: bytes = b"") -> bytes:
    return HEAD.pack(len(body), ord(kind)) + body


def answer(payload: bytes, request_id: bytes = b"id-1") -> bytes:
    return frame("R", bytes([len(request_id)]) + request_id + payload)


def failure(kind: str, request_id: bytes, error_type: bytes, document: bytes) -> bytes:
    lengths = bytes([len(request_id), len(error_type)])
    return frame(kind, lengths + request_id + error_type + document)


class Observer:
    """Remembers what the guest did, and what comes of a streamed answer."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.changed = asyncio.Event()
        self.flow: Flow | None = None

    def _note(self, *what: object) -> None:
        self.seen.append(what)
        self.changed.set()

    def runtime_ready(self) -> None:
        self._note("ready")

    def init_failed(self, error_type: str, payload: bytes) -> None:
        self._note("init failed", error_type, payload)

    def invocation_responded(self, payload: bytes) -> None:
        self._note("responded", payload)

    def invocation_failed(self, error_type: str, payload: bytes) -> None:
        self._note("failed", error_type, payload)

    def response_began(self, content_type: str, flow: Flow) -> None:
        self.flow = flow
        self._note("began", content_type)

    def response_piece(self, piece: bytes) -> None:
        self._note("piece", piece)

    def response_ended(self, error: tuple[str, bytes] | None) -> None:
        self._note("ended", error)

    async def until(self, *what: object) -> None:
        async with asyncio.timeout(30):
            while what not in self.seen:
                self.changed.clear()
                await self.changed.wait()


class Guest:
    """A runtime at the other end."""

    def __init__(self) -> None:
        # To the channel a socket is two descriptors as good as those of pipes.
        ours, self.socket = socket.socketpair()
        ours.setblocking(False)
        self.socket.setblocking(False)
        self.observer = Observer()
        self.session = RuntimeSession(self.observer)
        self.channel = RuntimeChannel(Side(os.dup(ours.fileno()), ours.detach()), self.session)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
            if not piece:
                break
            data += piece
        return data

    async def run(self) -> None:
        """Ask for an event and get it."""
        await self.send(NEXT)
        await self.observer.until("ready")
        self.session.deliver(EVENT)
        head = await self.receive(HEAD.size)
        self.event = head + await self.receive(HEAD.unpack_from(head)[0] + HEAD.size - len(head))

    async def closed(self) -> bool:
        """Whether the platform ends the channel."""
        async with asyncio.timeout(30):
            try:
                return await self.receive(1) == b""
            except ConnectionError:
                return True

    def close(self) -> None:
        self.channel.close()
        self.socket.close()


@pytest.fixture
async def guest() -> AsyncIterator[Guest]:
    guest = Guest()
    yield guest
    guest.close()


@pytest.fixture
async def running(guest: Guest) -> Guest:
    await guest.run()
    return guest


async def test_an_event_carries_what_the_headers_carry_over_http(running: Guest) -> None:
    length, kind = HEAD.unpack_from(running.event)
    assert (length + HEAD.size, kind) == (len(running.event), ord("E"))
    deadline_ms, *lengths = struct.unpack_from("!QBHHIH", running.event, HEAD.size)
    texts, position = [], HEAD.size + 19
    for size in lengths:
        texts.append(running.event[position : position + size].decode())
        position += size
    assert deadline_ms == EVENT.deadline_ms
    assert texts == [
        INVOCATION.request_id,
        INVOCATION.invoked_arn,
        EVENT.trace_header,
        INVOCATION.client_context,
        INVOCATION.tenant_id,
    ]
    assert running.event[position:] == INVOCATION.payload


async def test_an_answer_and_the_question_for_more_come_in_one_piece(running: Guest) -> None:
    await running.send(answer(b'"done"') + NEXT)
    await running.observer.until("responded", b'"done"')
    assert running.session.state is RuntimeState.READY
    assert running.session.listening


async def test_an_answer_may_trickle_in(running: Guest) -> None:
    for byte in answer(b"12") + NEXT:
        await running.send(bytes([byte]))
        await asyncio.sleep(0)
    await running.observer.until("responded", b"12")


async def test_an_error_has_its_type_and_document(running: Guest) -> None:
    await running.send(failure("F", b"id-1", b"Function.Odd", b"{}") + NEXT)
    await running.observer.until("failed", "Function.Odd", b"{}")


async def test_an_init_error_is_heard_even_when_the_process_ended_right_after(guest: Guest) -> None:
    guest.socket.send(failure("I", b"", b"Runtime.ImportModuleError", b"{}"))
    guest.socket.close()
    guest.channel.drain()
    assert guest.observer.seen == [("init failed", "Runtime.ImportModuleError", b"{}")]


async def test_the_largest_answer_arrives_whole(running: Guest) -> None:
    payload = b"x" * limits.INVOKE_RESPONSE_BYTES_MAX
    await running.send(answer(payload) + NEXT)
    await running.observer.until("responded", payload)


@pytest.mark.parametrize("excess", [1, 20 * 1024 * 1024])
async def test_an_answer_that_is_too_large_fails_and_the_guest_goes_on(
    running: Guest, excess: int
) -> None:
    await running.send(answer(bytes(limits.INVOKE_RESPONSE_BYTES_MAX + excess)) + NEXT)
    async with asyncio.timeout(30):
        while not running.session.listening:
            running.observer.changed.clear()
            await running.observer.changed.wait()
    kinds = [what[:2] for what in running.observer.seen]
    assert ("failed", "Function.ResponseSizeTooLarge") in kinds


async def test_the_largest_event_waits_for_a_guest_that_reads_slowly(guest: Guest) -> None:
    payload = b"x" * limits.INVOKE_REQUEST_BYTES_MAX
    await guest.send(NEXT)
    await guest.observer.until("ready")
    guest.session.deliver(
        RuntimeEvent(
            invocation=Invocation(request_id="id-2", payload=payload, invoked_arn="a"),
            trace_header="",
            deadline_ms=1,
        )
    )
    head = HEAD.size + 19 + len("id-2") + len("a")
    assert len(await guest.receive(head + len(payload))) == head + len(payload)


async def test_a_streamed_answer_is_passed_on_as_it_comes(running: Guest) -> None:
    await running.send(failure("S", b"id-1", b"text/html", b""))
    await running.send(frame("P", b"one") + frame("P", b"two"))
    await running.observer.until("piece", b"two")
    await running.send(failure("Z", b"", b"", b"") + NEXT)
    await running.observer.until("ended", None)
    assert running.session.state is RuntimeState.READY


async def test_a_stream_waits_while_its_caller_does(running: Guest) -> None:
    await running.send(failure("S", b"id-1", b"text/html", b""))
    await running.observer.until("began", "text/html")
    assert running.observer.flow is not None
    running.observer.flow.pause()
    await running.send(frame("P", b"late"))
    await asyncio.sleep(0)
    assert ("piece", b"late") not in running.observer.seen
    running.observer.flow.resume()
    await running.observer.until("piece", b"late")


async def test_a_stream_that_breaks_off_says_why(running: Guest) -> None:
    await running.send(failure("S", b"id-1", b"text/html", b""))
    await running.send(failure("Z", b"", b"Function.Odd", b"{}"))
    await running.observer.until("ended", ("Function.Odd", b"{}"))


async def test_a_stream_without_an_end_is_truncated(running: Guest) -> None:
    await running.send(failure("S", b"id-1", b"text/html", b""))
    running.socket.close()
    await running.observer.until("began", "text/html")
    async with asyncio.timeout(30):
        while running.observer.seen[-1][0] != "ended":
            running.observer.changed.clear()
            await running.observer.changed.wait()
    error = running.observer.seen[-1][1]
    assert isinstance(error, tuple)
    assert error[0] == "Runtime.TruncatedResponse"


NONSENSE = {
    "an unknown kind": frame("?"),
    "a long question": frame("N", b"x"),
    "two questions": NEXT + NEXT,
    "an answer shorter than its id": frame("R", b"\xff"),
    "an empty answer": frame("R"),
    "an id that is no text": answer(b"1", b"\xff\xfe"),
    "a piece of no stream": frame("P", b"x"),
    "the end of no stream": failure("Z", b"", b"", b""),
    "an endless piece": HEAD.pack(0xFFFFFFFF, ord("P")),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_a_frame_without_sense_ends_the_channel(running: Guest, nonsense: bytes) -> None:
    await running.send(nonsense)
    assert await running.closed()


@pytest.mark.parametrize(
    "late",
    [answer(b"1", b"id-2"), failure("F", b"id-2", b"x", b""), failure("I", b"", b"x", b"")],
    ids=["answer", "error", "init error"],
)
async def test_an_outcome_that_is_refused_changes_nothing(running: Guest, late: bytes) -> None:
    await running.send(late + answer(b"2") + NEXT)
    await running.observer.until("responded", b"2")
    assert running.session.listening
    assert [what[0] for what in running.observer.seen] == ["ready", "responded", "ready"]


async def test_a_flood_of_frames_leaves_the_event_loop_its_turn(running: Guest) -> None:
    await running.send(failure("S", b"id-1", b"text/html", b""))
    await running.observer.until("began", "text/html")
    await running.send(frame("P", b"x") * 5_000)
    turns = 0
    async with asyncio.timeout(30):
        while len(running.observer.seen) < 5_002:
            await asyncio.sleep(0)
            turns += 1
    assert turns > 50


BYTES = st.binary(max_size=64)
FRAMES = st.builds(
    lambda kind, length, body: HEAD.pack(length % 2**32, kind) + body,
    st.sampled_from(list(b"NRFISPZE?")),
    st.one_of(st.integers(0, 70), st.integers(0, 2**32 - 1)),
    BYTES,
)
VALID = st.sampled_from(
    [
        NEXT,
        answer(b"1"),
        failure("F", b"id-1", b"X", b""),
        failure("S", b"id-1", b"a/b", b""),
        frame("P", b"x"),
        failure("Z", b"", b"", b""),
    ]
)
PIECES = st.lists(st.one_of(BYTES, FRAMES, VALID), max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pieces=PIECES, runs=st.booleans())
def test_no_bytes_raise_anything_or_are_kept_beyond_the_bounds(
    pieces: list[bytes], runs: bool
) -> None:
    async def play() -> None:
        failures: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        guest = Guest()
        if runs:
            await guest.run()
        for piece in pieces:
            try:
                guest.socket.send(piece)
            except OSError:
                break
            for _ in range(3):
                await asyncio.sleep(0)
            assert len(guest.channel._partial) <= limits.INVOKE_RESPONSE_BYTES_MAX + 1024
        guest.channel.drain()
        guest.close()
        assert failures == []

    asyncio.run(play())
