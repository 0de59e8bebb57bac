"""What the supervisor makes of messages from a sandbox, hostile ones above all."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.domain.errors import HostUnfit
from lambdad.guest import init as guest_init
from lambdad.sandbox import init_client
from lambdad.sandbox.base import ExitStatus, ProcessSpec
from lambdad.sandbox.confinement import READY
from lambdad.sandbox.launcher import FAILED
from lambdad.testing.sandbox_contract import open_descriptors

PROGRAM = ProcessSpec(argv=["/bin/true", ""], environment={"A": "b=c"}, cwd="/")


@dataclass
class Conversation:
    """A client, the other end of its socket, and whether it was given up."""

    client: init_client.InitClient
    guest: socket.socket
    lost: list[bool] = field(default_factory=list)

    def report(self, kind: bytes, token: int, value: int = 0) -> None:
        self.guest.send(init_client.REPORT.pack(kind, token, value))

    async def begin_spawn(self) -> asyncio.Task[tuple[int, asyncio.Future[ExitStatus]]]:
        task = asyncio.ensure_future(self.client.spawn(PROGRAM, []))
        await asyncio.sleep(0)
        self.guest.recv(65536)
        return task


def start() -> Conversation:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lost: list[bool] = []
    client = init_client.InitClient(ours, lambda: lost.append(True))
    return Conversation(client, theirs, lost)


async def make_ready(conversation: Conversation) -> None:
    reader, writer = os.pipe()
    socket.send_fds(conversation.guest, [READY], [reader])
    pidfd, _ = await conversation.client.ready(0)
    for fd in (pidfd, reader, writer):
        os.close(fd)


@pytest.fixture
async def conversation() -> AsyncIterator[Conversation]:
    conversation = start()
    await make_ready(conversation)
    yield conversation
    conversation.client.lose()
    conversation.guest.close()


async def lost(conversation: Conversation) -> bool:
    """Let the client read what was sent."""
    for _ in range(3):
        await asyncio.sleep(0)
    return bool(conversation.lost)


def test_both_sides_mean_the_same_messages() -> None:
    requests = ("SPAWN", "SIGNAL", "KILL", "CONNECT")
    for name in (*requests, "STARTED", "NOT_STARTED", "ENDED", "KILLED", "CONNECTED"):
        assert getattr(init_client, name) == getattr(guest_init, name)
    for name in ("SPAWN_HEAD", "SIGNAL_REQUEST", "KILL_REQUEST", "CONNECT_REQUEST", "REPORT"):
        assert getattr(init_client, name).format == getattr(guest_init, name).format
    assert init_client.TELEMETRY_FD == guest_init.TELEMETRY_FD


async def test_end_of_a_program_is_told(conversation: Conversation) -> None:
    spawning = await conversation.begin_spawn()
    conversation.report(init_client.STARTED, 1)
    _, ended = await spawning
    conversation.report(init_client.ENDED, 1, 3 << 8)
    assert await ended == ExitStatus(code=3)


async def test_program_that_could_not_be_started_is_an_error(conversation: Conversation) -> None:
    spawning = await conversation.begin_spawn()
    conversation.report(init_client.NOT_STARTED, 1, 11)
    with pytest.raises(HostUnfit, match="/bin/true cannot be started"):
        await spawning
    assert not conversation.lost


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"P",
        b"x" * 9,
        b"x" * 10,
        b"x" * 60_000,
        init_client.REPORT.pack(b"E", 1, 0),
        init_client.REPORT.pack(b"E", 2, 0),
        init_client.REPORT.pack(b"P", 2, 0),
        init_client.REPORT.pack(b"N", 1, 0),
        init_client.REPORT.pack(b"N", 1, -1),
        init_client.REPORT.pack(b"K", 1, 0),
        init_client.REPORT.pack(b"\xff", 1, 0),
    ],
)
async def test_message_that_answers_no_question_ends_the_sandbox(
    conversation: Conversation, message: bytes
) -> None:
    spawning = await conversation.begin_spawn()
    conversation.guest.send(message)
    assert await lost(conversation)
    with pytest.raises(HostUnfit, match="gone"):
        await spawning


async def test_end_is_told_once(conversation: Conversation) -> None:
    spawning = await conversation.begin_spawn()
    conversation.report(init_client.STARTED, 1)
    _, ended = await spawning
    conversation.report(init_client.ENDED, 1, 0)
    await ended
    conversation.report(init_client.ENDED, 1, 256)
    assert await lost(conversation)
    assert ended.result() == ExitStatus(code=0)


async def test_sandbox_that_vanishes_settles_every_question(conversation: Conversation) -> None:
    spawning = await conversation.begin_spawn()
    conversation.report(init_client.STARTED, 1)
    _, ended = await spawning
    pending = await conversation.begin_spawn()
    killing = asyncio.ensure_future(conversation.client.kill_all())
    await asyncio.sleep(0)
    conversation.guest.close()
    await killing
    assert await ended == ExitStatus(signal=signal.SIGKILL)
    with pytest.raises(HostUnfit):
        await pending
    assert conversation.lost == [True]


async def test_descriptors_from_the_guest_are_not_taken(conversation: Conversation) -> None:
    before = len(open_descriptors())
    reader, writer = os.pipe()
    report = init_client.REPORT.pack(b"E", 9, 0)
    socket.send_fds(conversation.guest, [report], [reader] * 50)
    os.close(reader)
    os.close(writer)
    assert await lost(conversation)
    # Our end was closed.
    assert len(open_descriptors()) == before - 1


async def test_cancelled_spawn_is_still_accounted_for(conversation: Conversation) -> None:
    spawning = await conversation.begin_spawn()
    spawning.cancel()
    await asyncio.gather(spawning, return_exceptions=True)
    conversation.report(init_client.STARTED, 1)
    conversation.report(init_client.ENDED, 1, 0)
    assert not await lost(conversation)


@pytest.mark.parametrize(
    "program",
    [
        ProcessSpec(argv=["/bin/true", "a\0b"], environment={}, cwd="/"),
        ProcessSpec(argv=["/bin/true"], environment={"A": "\0"}, cwd="/"),
        ProcessSpec(argv=[], environment={}, cwd="/"),
        ProcessSpec(argv=["/bin/true"], environment={"A": "x" * 200_000}, cwd="/"),
    ],
)
async def test_program_that_cannot_be_written_down_is_refused(
    conversation: Conversation, program: ProcessSpec
) -> None:
    with pytest.raises(HostUnfit):
        await conversation.client.spawn(program, [])
    assert not conversation.lost


async def test_failure_to_build_is_told_in_words() -> None:
    conversation = start()
    conversation.guest.send(b"Fcannot mount on /x")
    with pytest.raises(HostUnfit, match="cannot mount on /x"):
        await conversation.client.ready(0)
    conversation.client.lose()
    conversation.guest.close()


@settings(max_examples=50, deadline=None)
@given(messages=st.lists(st.binary(max_size=20), max_size=20))
def test_no_bytes_of_a_guest_raise_in_the_supervisor(messages: list[bytes]) -> None:
    async def main() -> None:
        conversation = start()
        await make_ready(conversation)
        spawning = await conversation.begin_spawn()
        for message in messages:
            try:
                conversation.guest.send(message)
            except BrokenPipeError:
                break
        conversation.guest.close()
        assert await lost(conversation)
        await asyncio.gather(spawning, return_exceptions=True)

    asyncio.run(main())


async def begin_connect(
    conversation: Conversation, port: int
) -> tuple[int, asyncio.Task[socket.socket]]:
    """The token of a question for a connection, and who waits for the answer."""
    task = asyncio.ensure_future(conversation.client.connect(port))
    await asyncio.sleep(0)
    kind, token, asked = init_client.CONNECT_REQUEST.unpack(conversation.guest.recv(64))
    assert (kind, asked) == (init_client.CONNECT, port)
    return token, task


def hand_over(conversation: Conversation, token: int, *descriptors: int) -> None:
    report = init_client.REPORT.pack(init_client.CONNECTED, token, 0)
    socket.send_fds(conversation.guest, [report], descriptors)


async def test_a_connection_made_inside_is_handed_out(conversation: Conversation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        token, asking = await begin_connect(conversation, port)
        with socket.create_connection(("127.0.0.1", port)) as made:
            hand_over(conversation, token, made.fileno())
            with await asking as connection:
                assert connection.getsockname() == made.getsockname()
                assert connection.gettimeout() == 0.0


async def test_a_refused_connection_is_an_error_of_the_system(conversation: Conversation) -> None:
    token, asking = await begin_connect(conversation, 80)
    conversation.report(init_client.CONNECTED, token, errno.ECONNREFUSED)
    with pytest.raises(ConnectionRefusedError):
        await asking
    assert not await lost(conversation)


async def test_whoever_waits_for_a_connection_learns_of_the_end(conversation: Conversation) -> None:
    _, asking = await begin_connect(conversation, 80)
    conversation.guest.close()
    with pytest.raises(ConnectionAbortedError):
        await asking
    with pytest.raises(ConnectionAbortedError):
        await conversation.client.connect(80)


@pytest.mark.parametrize("kind", ["file", "unix", "datagram", "none"])
async def test_nothing_but_the_wanted_connection_is_taken(
    conversation: Conversation, kind: str
) -> None:
    """SECURITY: what PID 1 hands out is written to."""
    before = open_descriptors()
    with contextlib.ExitStack() as held:
        server = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        passed: list[int] = []
        if kind == "file":
            passed = [held.enter_context(open("/dev/null", "wb")).fileno()]  # noqa: ASYNC230, PTH123
        elif kind == "unix":
            pair = socket.socketpair()
            passed = [held.enter_context(end).fileno() for end in pair][:1]
        elif kind == "datagram":
            datagram = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            datagram.connect(server.getsockname())
            passed = [datagram.fileno()]
        token, asking = await begin_connect(conversation, 80)
        hand_over(conversation, token, *passed)
        with pytest.raises(ConnectionAbortedError):
            await asking
        assert await lost(conversation)
    assert open_descriptors() <= before


@pytest.mark.parametrize("connected", [True, False])
async def test_a_connection_to_elsewhere_is_not_used(
    conversation: Conversation, connected: bool
) -> None:
    """SECURITY: what PID 1 hands out is written to."""
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as made:
        if connected:
            made.connect(server.getsockname())
        token, asking = await begin_connect(conversation, 80)
        hand_over(conversation, token, made.fileno())
        with pytest.raises(OSError, match=r"another connection|not connected"):
            await asking
    assert open_descriptors() <= before


async def test_a_descriptor_with_another_report_ends_the_sandbox(
    conversation: Conversation,
) -> None:
    before = open_descriptors()
    _, asking = await begin_connect(conversation, 80)
    with socket.socket() as extra:
        report = init_client.REPORT.pack(init_client.KILLED, 1, 0)
        socket.send_fds(conversation.guest, [report], [extra.fileno()])
        assert await lost(conversation)
    with pytest.raises(ConnectionAbortedError):
        await asking
    assert open_descriptors() <= before


@pytest.mark.parametrize("early", [True, False])
async def test_why_a_sandbox_does_not_stand_is_heard_though_it_was_asked_for_a_program(
    *, early: bool
) -> None:
    """It ends with the request unread, by which the kernel lets other things be heard first."""
    conversation = start()
    asking = asyncio.ensure_future(conversation.client.spawn(PROGRAM, []))
    if early:
        await asyncio.sleep(0)
    conversation.guest.send(FAILED + b"no room")
    conversation.guest.close()
    await asyncio.sleep(0)
    with pytest.raises(HostUnfit, match="no room"):
        await conversation.client.ready(0)
    conversation.client.lose()
    with pytest.raises(HostUnfit):
        await asking
