"""A sandbox without a kernel: guest programs are coroutines in the test's own process."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lambdad.domain.environments import Mount, ResourceLimits, Zygote
from lambdad.sandbox.base import (
    ExitStatus,
    Guard,
    Listener,
    ProcessSpec,
    SandboxSpec,
)


class FakeGuest:
    """What a guest program sees: its command, its environment, its output, and the Runtime API.

    Attributes:
        signals: what it was sent.
        on_terminate: what it does with SIGTERM instead of ending at once.
    """

    def __init__(self, spec: ProcessSpec, output: int) -> None:
        self.argv = spec.argv
        self.environment = spec.environment
        self.signals: list[signal.Signals] = []
        self.on_terminate: Callable[[], None] | None = None
        self._output = output
        self._writers: list[asyncio.StreamWriter] = []

    def print(self, text: str) -> None:
        """Write a line to stdout."""
        os.write(self._output, f"{text}\n".encode())

    async def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request to the Runtime API; returns status, headers in lower case, body."""
        host, port = self.environment["AWS_LAMBDA_RUNTIME_API"].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            received = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            answer = await reader.readexactly(int(received.get("content-length", "0")))
            return int(head[0].split()[1]), received, answer
        finally:
            writer.close()

    async def stream(self, request_id: str) -> Streamed:
        """Begin a streamed response."""
        host, port = self.environment["AWS_LAMBDA_RUNTIME_API"].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: text/plain\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        self._writers.append(writer)
        return Streamed(reader, writer)

    def hang_up(self) -> None:
        """The program ends: its connections do."""
        for writer in self._writers:
            writer.transport.abort()

    async def next(self) -> tuple[str, bytes]:
        """Wait for an event; returns its request id and payload."""
        _, headers, payload = await self.call("GET", "/2018-06-01/runtime/invocation/next")
        return headers["lambda-runtime-aws-request-id"], payload

    async def respond(self, request_id: str, payload: bytes) -> int:
        """Post a result; returns the status."""
        path = f"/2018-06-01/runtime/invocation/{request_id}/response"
        return (await self.call("POST", path, payload))[0]


class Streamed:
    """A response that a fake guest sends bit by bit."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def write(self, piece: bytes) -> None:
        """Send a piece; waits while the platform takes nothing."""
        self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await self._writer.drain()

    async def end(self, trailers: Mapping[str, str] | None = None) -> int:
        """Send the end; returns the status."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in (trailers or {}).items())
        self._writer.write(b"0\r\n" + lines.encode() + b"\r\n")
        head = await self._reader.readuntil(b"\r\n\r\n")
        self._writer.close()
        return int(head.split()[1])

    def break_off(self) -> None:
        """Close the connection half way."""
        self._writer.transport.abort()


Program = Callable[[FakeGuest], Awaitable[int | None]]


class FakeExtension:
    """An extension's view of the Extensions API, in whatever process it lives.

    Attributes:
        identifier: once registered.
        events: what it was told.
    """

    def __init__(self, guest: FakeGuest, name: str | None = None) -> None:
        self._guest = guest
        self.name = name or guest.argv[0].rpartition("/")[2]
        self.identifier = ""
        self.events: list[dict[str, Any]] = []

    async def call(
        self, method: str, tail: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Call the Extensions API."""
        sent = {"Lambda-Extension-Identifier": self.identifier, **headers}
        return await self._guest.call(method, f"/2020-01-01/extension/{tail}", body, sent)

    async def register(self, *events: str) -> tuple[int, dict[str, Any]]:
        """Register for events; returns the status and the document."""
        body = json.dumps({"events": events}).encode()
        name = {"Lambda-Extension-Name": self.name}
        status, headers, answer = await self.call("POST", "register", body, **name)
        self.identifier = headers.get("lambda-extension-identifier", "")
        return status, json.loads(answer)

    async def next(self) -> dict[str, Any]:
        """Wait for an event."""
        _, _, body = await self.call("GET", "event/next")
        self.events.append(json.loads(body))
        return self.events[-1]

    async def report(self, phase: str, error_type: str) -> int:
        """Report an error of the phase `init` or `exit`; returns the status."""
        header = {"Lambda-Extension-Function-Error-Type": error_type}
        return (await self.call("POST", f"{phase}/error", b"{}", **header))[0]


class FakeProcess:
    """A program that runs as a task. See `lambdad.sandbox.base.GuestProcess`."""

    def __init__(self, program: Program, spec: ProcessSpec) -> None:
        self.output, self._write_end = os.pipe()
        os.set_blocking(self.output, False)
        self.telemetry: int | None = None
        self._exit: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.guest = FakeGuest(spec, self._write_end)
        self._task = asyncio.ensure_future(self._run(program, self.guest))

    async def _run(self, program: Program, guest: FakeGuest) -> None:
        status = ExitStatus(signal=signal.SIGKILL)
        try:
            status = ExitStatus(code=await program(guest) or 0)
        except asyncio.IncompleteReadError:
            status = ExitStatus(code=1)
        finally:
            guest.hang_up()
            os.close(self._write_end)
            if not self._exit.done():
                self._exit.set_result(status)

    async def wait(self) -> ExitStatus:
        """See `GuestProcess.wait`."""
        return await asyncio.shield(self._exit)

    def signal(self, number: signal.Signals) -> None:
        """Any signal ends it, but for SIGTERM where the program handles that."""
        self.guest.signals.append(number)
        if number is signal.SIGTERM and self.guest.on_terminate is not None:
            self.guest.on_terminate()
            return
        if not self._exit.done():
            self._exit.set_result(ExitStatus(signal=number))
        self._task.cancel()


class FakeSandbox:
    """See `lambdad.sandbox.base.Sandbox`.

    Attributes:
        frozen: whether it is; a frozen fake still runs, tests look at the flag.
        calls: names of the methods called, in order.
        stood: 0, as if it had always done so.
        standing: awaited by `spawn`, for the rest of the making of an early sandbox.
    """

    def __init__(
        self, spec: SandboxSpec, program: Program, programs: Mapping[str, Program]
    ) -> None:
        self.environment_id = spec.environment_id
        self.spec = spec
        self.frozen = False
        self.destroyed = False
        self.limits = spec.limits
        self.calls: list[str] = []
        self.stood = 0.0
        self.standing: Callable[[FakeSandbox], Awaitable[None]] | None = None
        self.memory_bytes = 30 * 1024 * 1024
        self._program = program
        self._programs = programs
        self._processes: list[FakeProcess] = []
        self.listeners = {port: _listener() for port in spec.ports}

    @property
    def alive(self) -> bool:
        """See `Sandbox`."""
        return not self.destroyed

    async def spawn(self, process: ProcessSpec) -> FakeProcess:
        """See `Sandbox.spawn`."""
        if self.standing is not None:
            await self.standing(self)
        self.calls.append("spawn")
        program = self._programs.get(process.argv[0], self._program)
        started = FakeProcess(program, process)
        self._processes.append(started)
        return started

    async def mount(self, mounts: Sequence[Mount]) -> None:
        """See `Sandbox`."""
        self.spec = replace(self.spec, mounts=(*self.spec.mounts, *mounts))

    async def connect(self, port: int) -> socket.socket:
        """See `Sandbox.connect`."""
        connection = socket.socket()
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except OSError:
            connection.close()
            raise
        return connection

    async def kill_processes(self) -> None:
        """See `Sandbox.kill_processes`."""
        self.calls.append("kill_processes")
        self.frozen = False
        processes, self._processes = self._processes, []
        for process in processes:
            process.signal(signal.SIGKILL)
            await process.wait()

    def freeze(self) -> None:
        """See `Sandbox.freeze`."""
        self.calls.append("freeze")
        self.frozen = True

    def thaw(self) -> None:
        """See `Sandbox.thaw`."""
        self.calls.append("thaw")
        self.frozen = False

    def set_limits(self, limits: ResourceLimits) -> None:
        """See `Sandbox.set_limits`."""
        self.limits = limits

    def memory_charge_bytes(self) -> int:
        """See `Sandbox.memory_charge_bytes`."""
        return self.memory_bytes

    def memory_peak_bytes(self) -> int:
        """See `Sandbox.memory_peak_bytes`."""
        return self.memory_bytes

    def reset_memory_peak(self) -> None:
        """See `Sandbox.reset_memory_peak`."""

    def guest_path(self, path: str) -> str:
        """See `Sandbox.guest_path`."""
        return path

    async def destroy(self) -> None:
        """See `Sandbox.destroy`."""
        await self.kill_processes()
        for listener in self.listeners.values():
            listener.socket.close()
        self.destroyed = True


class FakeBackend:
    """See `lambdad.sandbox.base.SandboxBackend`.

    `program` is what a process runs whose command is not the name of one of `programs`. With
    `standing` early sandboxes do not stand until that has set their `stood`.
    """

    name = "fake"
    zygotes = False
    roots = False

    def __init__(self, program: Program, programs: Mapping[str, Program] | None = None) -> None:
        self._program = program
        self._programs = programs or {}
        self.sandboxes: list[FakeSandbox] = []
        self.standing: Callable[[FakeSandbox], Awaitable[None]] | None = None

    async def open(self) -> None:
        """Nothing to prepare."""

    async def create(self, spec: SandboxSpec) -> FakeSandbox:
        """See `SandboxBackend.create`."""
        sandbox = FakeSandbox(spec, self._program, self._programs)
        self.sandboxes.append(sandbox)
        if self.standing is not None and spec.early:
            sandbox.stood, sandbox.standing = math.inf, self.standing
        return sandbox

    async def prepare(self, zygote: Zygote) -> None:
        """See `SandboxBackend`: there are no zygotes."""

    def guards(self) -> Sequence[Guard]:
        """It protects from nothing."""
        return ()

    async def close(self) -> None:
        """Destroy all sandboxes."""
        for sandbox in self.sandboxes:
            await sandbox.destroy()


def _listener() -> Listener:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    host, port = listening.getsockname()
    return Listener(socket=listening, address=f"{host}:{port}")
