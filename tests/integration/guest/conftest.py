"""A real guest process, without a sandbox, against a small real Runtime API."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.catalogue import Catalogue
from lambdad.runtimes.environment import environment_of
from lambdad.testing.functions import a_function

RESPONSE_BYTES_MAX = 6_291_556
DEADLINE_MS = 99_999_999_999_999
PATIENCE_S = 30
NODES = [f"nodejs{major}.x" for major in (16, 18, 20, 22, 24)]


@dataclass(frozen=True)
class Event:
    """What the Runtime API hands out: a payload and headers beyond the usual ones."""

    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Post:
    """What the guest posted."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return self.path.removeprefix("/2018-06-01/runtime/")

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """Everything one runtime process did."""

    posts: list[Post]
    log: str
    frames: bytes
    exit_code: int | None

    @property
    def documents(self) -> list[Any]:
        return [post.document for post in self.posts]


class RuntimeApi:
    """Hands out events one after another, then lets the guest wait."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = list(events)
        self.posts: list[Post] = []
        self.exhausted = asyncio.Event()
        self.first_next_at: float | None = None
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = await self._body(reader, headers)
        method, path, _ = head[0].split(" ")
        if method == "GET" and path == "/2018-06-01/runtime/invocation/next":
            self.first_next_at = self.first_next_at or asyncio.get_running_loop().time()
            if not self.events:
                self.exhausted.set()
                await reader.read()  # until the guest goes
                return
            self._hand_out(writer, self.events.pop(0))
            return
        self.posts.append(Post(path, headers, body))
        fits = len(body) <= RESPONSE_BYTES_MAX
        answer = b'{"status":"OK"}'
        status = b"202 Accepted" if fits else b"413 Request Entity Too Large"
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(answer), answer))

    @staticmethod
    async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        while line := (await reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return body

    def _hand_out(self, writer: asyncio.StreamWriter, event: Event) -> None:
        self._count += 1
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": f"request-{self._count}",
            "Lambda-Runtime-Deadline-Ms": str(DEADLINE_MS),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:0:function:f:live",
            "Lambda-Runtime-Trace-Id": f"Root=1-0-{self._count};Sampled=0",
            "Content-Length": str(len(event.payload)),
            **event.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(b"HTTP/1.1 200 OK\r\n" + head.encode() + b"\r\n" + event.payload)


@pytest.fixture(scope="session")
def a_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Catalogue]]:
    """Catalogues of this host; LAMBDAD_TEST_RUNTIMES names places with further runtimes."""
    search = [Path(item) for item in os.environ.get("LAMBDAD_TEST_RUNTIMES", "").split(":") if item]
    cache = tmp_path_factory.mktemp("cache")
    made = []

    def make(variables: Mapping[str, str] = os.environ, **config: Any) -> Catalogue:
        settings = RuntimesConfig(**{"search": tuple(search), **config})
        made.append(Catalogue(settings, cache, variables=variables))
        return made[-1]

    yield make
    for catalogue in made:
        catalogue.close()


@pytest.fixture(scope="session")
def catalogue(a_catalogue: Callable[..., Catalogue]) -> Catalogue:
    return a_catalogue()


class Guest:
    """Runs one handler: files are laid out below a root as a sandbox would show them."""

    def __init__(self, catalogue: Catalogue, root: Path) -> None:
        self._catalogue = catalogue
        self.root = root
        self.task = root / "var" / "task"

    def runtime(self, identifier: str) -> Runtime:
        try:
            return self._catalogue.find(identifier)
        except HostUnfit as unfit:
            pytest.skip(str(unfit))

    def lay_out(self, runtime: Runtime, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            file = self.task / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        for mount in runtime.mounts:
            place = self.root / mount.target.lstrip("/")
            if place.is_symlink():
                continue
            if mount.target == "/var/runtime":
                # A copy, as something may be shown inside it.
                shutil.copytree(mount.source, place, dirs_exist_ok=True)
            elif mount.target != "/var/lang":
                # The language itself is run where it is.
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.is_dir():
                    place.rmdir()
                place.symlink_to(mount.source)

    def at(self, path: str) -> str:
        inside = path.startswith(("/var/", "/opt"))
        return f"{self.root}{path}" if inside else path

    def environment(
        self,
        runtime: Runtime,
        api: str,
        *,
        guest_path: Callable[[str], str] | None = None,
        **changes: Any,
    ) -> dict[str, str]:
        return environment_of(
            runtime,
            a_function(runtime=runtime.identifier, **changes),
            runtime_api=api,
            endpoint_url=None,
            log_stream="2026/01/01/[$LATEST]0123",
            credentials={"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
            initialization_type="on-demand",
            guest_path=guest_path or self.at,
        )

    async def run(
        self,
        identifier: str,
        files: Mapping[str, str],
        events: Sequence[Event | object] = (),
        *,
        handler: str = "app.handler",
        framed: bool = False,
        command: Sequence[str] | None = None,
        **changes: Any,
    ) -> Served:
        """Run until every event is answered or the process ends."""
        runtime = self.runtime(identifier)
        self.lay_out(runtime, files)
        api = RuntimeApi([_event(event) for event in events])
        server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        environment = self.environment(runtime, f"127.0.0.1:{port}", handler=handler, **changes)
        argv = command or [runtime.source, *map(self.at, runtime.argv[1:])]
        async with _process(argv, environment, self.task, framed) as (process, frames):
            log = asyncio.ensure_future(process.stdout.read())
            ended = asyncio.ensure_future(process.wait())
            waiting = asyncio.ensure_future(api.exhausted.wait())
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait([ended, waiting], return_when=asyncio.FIRST_COMPLETED)
            exit_code = None
            if not ended.done():
                process.kill()
            else:
                exit_code = ended.result()
            await ended
            waiting.cancel()
            output = (await log).decode()
            records = await frames() if framed else b""
        server.close()
        return Served(api.posts, output, records, exit_code)


@contextlib.asynccontextmanager
async def _process(
    argv: Sequence[str], environment: dict[str, str], cwd: Path, framed: bool
) -> AsyncIterator[tuple[Any, Callable[[], Awaitable[bytes]]]]:
    pipe = os.pipe() if framed else None
    if pipe is not None:
        environment = {**environment, "_LAMBDA_TELEMETRY_LOG_FD": str(pipe[1])}
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=() if pipe is None else (pipe[1],),
    )
    if pipe is not None:
        os.close(pipe[1])

    async def frames() -> bytes:
        assert pipe is not None
        with os.fdopen(pipe[0], "rb") as stream:
            return await asyncio.to_thread(stream.read)

    yield process, frames


def _event(event: Event | object) -> Event:
    return event if isinstance(event, Event) else Event(json.dumps(event).encode())


@pytest.fixture
def guest(catalogue: Catalogue, tmp_path: Path) -> Guest:
    guest = Guest(catalogue, tmp_path / "root")
    guest.task.mkdir(parents=True)
    return guest


@pytest.fixture
def guest_with_sdk(tmp_path: Path, a_catalogue: Callable[..., Catalogue]) -> Guest:
    """A guest whose host has an AWS SDK for Node.js."""
    package = tmp_path / "modules" / "@aws-sdk" / "client-x"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "@aws-sdk/client-x", "main": "./index.js"}')
    (package / "index.js").write_text("exports.name = 'sdk';")
    guest = Guest(a_catalogue(nodejs_sdk=tmp_path / "modules"), tmp_path / "root")
    guest.task.mkdir(parents=True)
    return guest


@pytest.fixture
def event() -> type[Event]:
    return Event


@pytest.fixture
def awslambdaric() -> list[str]:
    """AWS's own client, run by the interpreter of these tests."""
    pytest.importorskip("awslambdaric")
    return [sys.executable, "-m", "awslambdaric"]


@pytest.fixture
def runtime_api() -> Callable[[Sequence[object]], RuntimeApi]:
    return lambda events: RuntimeApi([_event(event) for event in events])
