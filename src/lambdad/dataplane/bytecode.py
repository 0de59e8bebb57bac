"""Byte code of functions, compiled when their code is published and kept beside their packages.

Compiled in a sandbox of its own, without a network, by the interpreter that will run it: source is
hostile, and what came of it is used for the very package it came of and nothing else. Time, memory
and size are bounded. Nothing waits for it: a function without byte code starts as it would on AWS.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import struct
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from lambdad.dataplane.capacity import HostCapacity, Usage
from lambdad.domain.clock import Clock
from lambdad.domain.environments import LAYER_ROOT, TASK_ROOT, Mount, ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.domain.functions import Function
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.environment import at_start
from lambdad.sandbox.base import FIRST_INHERITED_FD, ProcessSpec, Sandbox, SandboxBackend
from lambdad.sandbox.base import SandboxSpec as Spec

_LOGGER = logging.getLogger(__name__)

VARIABLE = "_LAMBDAD_BYTECODE"
"""Tells the guest the numbers of its descriptors; not for the function to see."""

# Interpreters compile less faster than a sandbox is made.
_SOURCE_BYTES_LEAST = 4096
_MEMORY_MB = 768
_VCPUS = 1.0
_TIMEOUT_S = 180.0
_BYTES_MAX = 160 << 20
_CHUNK = 1 << 20
# As `guest/python/compiler.py` writes it: magic, lengths of the index and of the byte code.
_HEAD = struct.Struct("!12sIQ")
_MAGIC = b"lambdad-pyc\0"
_WORDS_BYTES = 500
_WAITING_MAX = 1024
_KNOWN_MAX = 65_536
_PAUSE_S = 0.05
# Then it is done in spite of a load that does not end.
_PATIENCE = 200


class MadeFiles(Protocol):
    """Keeps files with the packages that they were made of; `FilePackageStore`."""

    def tree(self, digest: str) -> Path:
        """Directory with the unpacked package."""
        ...

    def made(self, digest: str, name: str) -> Path:
        """Where such a file is, if it was made."""
        ...

    async def make(self, digest: str, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Make one; raises HostUnfit, or what `write` raises."""
        ...


class NoByteCode(Exception):
    """What the compiler wrote is not to be used."""


@dataclass(frozen=True, slots=True)
class _Pack:
    """What is compiled together: a package, by one interpreter, as it is seen in one place."""

    digest: str
    version: str
    place: str

    @property
    def name(self) -> str:
        return f"python-{self.version}-{self.place.strip('/').replace('/', '-')}"


class ByteCode:
    """Compiles, one package after the other, and hands out what is there.

    Mutable: what is to be compiled, and of what it is known that there is nothing to hand out.
    `busy` says how many environments work at this moment.
    """

    def __init__(
        self,
        backend: SandboxBackend,
        packages: MadeFiles,
        capacity: HostCapacity,
        clock: Clock,
        spawn_task: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.busy: Callable[[], int] = lambda: 0
        self._backend = backend
        self._packages = packages
        self._capacity = capacity
        self._clock = clock
        self._spawn_task = spawn_task
        self._waiting: OrderedDict[_Pack, Runtime] = OrderedDict()
        self._without: OrderedDict[_Pack, None] = OrderedDict()
        self._working = False
        self._processors = os.cpu_count() or 1

    def announce(self, runtime: Runtime, function: Function) -> None:
        """A function of this runtime was deployed: compile what it brings, if that was not yet."""
        for pack in _packs(runtime, function):
            if not self._packages.made(pack.digest, pack.name).exists():
                self._want(pack, runtime)

    @contextmanager
    def opened(self, runtime: Runtime, function: Function) -> Iterator[Sequence[int]]:
        """Descriptors of the byte code that there is; what there is not will be compiled."""
        descriptors: list[int] = []
        try:
            for pack in _packs(runtime, function):
                if pack not in self._without:
                    descriptors += self._open(pack, runtime)
            yield descriptors
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _open(self, pack: _Pack, runtime: Runtime) -> Sequence[int]:
        try:
            path = self._packages.made(pack.digest, pack.name)
            return (os.open(path, os.O_RDONLY | os.O_CLOEXEC),)
        except OSError:
            self._want(pack, runtime)
            return ()

    def _want(self, pack: _Pack, runtime: Runtime) -> None:
        if pack in self._without or len(self._waiting) >= _WAITING_MAX:
            return
        self._waiting[pack] = runtime
        if not self._working:
            self._working = True
            self._spawn_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting:
                pack, runtime = next(iter(self._waiting.items()))
                await self._compile(pack, runtime)
                self._waiting.pop(pack, None)
        finally:
            self._working = False

    async def _compile(self, pack: _Pack, runtime: Runtime) -> None:
        tree = self._packages.tree(pack.digest)
        try:
            if not await asyncio.to_thread(_worthwhile, tree):
                self._give_up(pack)
                return
            await self._calm()
            await self._make(pack, runtime, tree)
        except (HostUnfit, NoByteCode, OSError) as problem:
            self._give_up(pack)
            if tree.exists():
                _LOGGER.warning("no byte code of package %s: %s", pack.digest[:16], problem)

    def _give_up(self, pack: _Pack) -> None:
        self._without[pack] = None
        if len(self._without) > _KNOWN_MAX:
            self._without.popitem(last=False)

    async def _calm(self) -> None:
        for _ in range(_PATIENCE):
            await asyncio.sleep(_PAUSE_S)
            if self.busy() < self._processors:
                return

    async def _make(self, pack: _Pack, runtime: Runtime, tree: Path) -> None:
        sandbox: Sandbox | None = None

        def measure() -> Usage:
            return Usage(now=sandbox.memory_charge_bytes() if sandbox is not None else 0, peak=0)

        claim = self._capacity.spare(_MEMORY_MB, measure)
        if claim is None:
            # The next cold start asks again.
            return
        try:
            sandbox = await self._backend.create(_spec(pack, runtime, tree))
            await self._run(sandbox, pack, runtime)
        finally:
            if sandbox is not None:
                await sandbox.destroy()
            claim.release()

    async def _run(self, sandbox: Sandbox, pack: _Pack, runtime: Runtime) -> None:
        reading, writing = os.pipe()
        try:
            process = await sandbox.spawn(
                ProcessSpec(
                    argv=(*runtime.compiler, pack.place),
                    environment=at_start(runtime.environment),
                    cwd="/",
                    inherited=(writing,),
                )
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)

        def write(file: BinaryIO) -> None:
            copy_pack(reading, file, self._clock.monotonic)

        try:
            # Ends with the sandbox, so also when this is cancelled: the thread closes `reading`.
            await self._packages.make(pack.digest, pack.name, write)
        except NoByteCode as problem:
            raise NoByteCode(f"{problem}{_said(process.output)}") from None
        finally:
            os.close(process.output)


def with_byte_code(process: ProcessSpec, descriptors: Sequence[int]) -> ProcessSpec:
    """Return the process with descriptors of :meth:`ByteCode.opened`, and told of them."""
    if not descriptors:
        return process
    first = FIRST_INHERITED_FD + len(process.inherited)
    numbers = ",".join(str(first + position) for position in range(len(descriptors)))
    return replace(
        process,
        inherited=(*process.inherited, *descriptors),
        environment={**process.environment, VARIABLE: numbers},
    )


def _packs(runtime: Runtime, function: Function) -> Sequence[_Pack]:
    if not runtime.compiler or function.code.image is not None:
        return ()
    digests: Mapping[str, str | None] = {
        # What changes under the hands of its author is compiled by each environment.
        TASK_ROOT: function.code.digest if function.code.folder is None else None,
        f"{LAYER_ROOT}/python": function.layer_tree,
    }
    return [
        _Pack(digest, runtime.version, place)
        for place, digest in digests.items()
        if digest is not None
    ]


def _spec(pack: _Pack, runtime: Runtime, tree: Path) -> Spec:
    root = TASK_ROOT if pack.place == TASK_ROOT else LAYER_ROOT
    return Spec(
        environment_id=os.urandom(8).hex(),
        mounts=(*runtime.mounts, Mount(source=tree, target=root)),
        limits=ResourceLimits(memory_mb=_MEMORY_MB, vcpus=_VCPUS, ephemeral_storage_mb=512),
        ports=(),
        egress=False,
    )


def _worthwhile(tree: Path) -> bool:
    """Whether there is so much source that byte code of it is of use."""
    size = 0
    for parent, _, names in os.walk(tree):
        for name in names:
            if name.endswith(".py"):
                with suppress(OSError):
                    size += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118
                if size >= _SOURCE_BYTES_LEAST:
                    return True
    return False


def copy_pack(reading: int, file: BinaryIO, now: Callable[[], float]) -> None:
    """Write what comes through a pipe, which is closed then, if it is one whole pack.

    Raises:
        NoByteCode: it is none, or not in time, or too large.
    """
    deadline = now() + _TIMEOUT_S
    ready = select.poll()
    ready.register(reading, select.POLLIN)
    try:
        head = b""
        size = 0
        while True:
            if not ready.poll(max(0.0, deadline - now()) * 1000):
                raise NoByteCode("the compiler was not done in time")
            data = os.read(reading, _CHUNK)
            if not data:
                break
            size += len(data)
            if size > _BYTES_MAX:
                raise NoByteCode("the compiler wrote too much")
            if len(head) < _HEAD.size:
                head += data[: _HEAD.size - len(head)]
            file.write(data)
    finally:
        os.close(reading)
    _check(head, size)


def _said(output: int) -> str:
    """What the compiler had to say beside byte code, which is nothing unless it fails."""
    with suppress(OSError):
        if words := os.read(output, _WORDS_BYTES):
            return f": {words.decode(errors='replace')!r}"
    return ""


def _check(head: bytes, size: int) -> None:
    if len(head) < _HEAD.size:
        raise NoByteCode("the compiler ended without a word")
    magic, index, code = _HEAD.unpack(head)
    if magic != _MAGIC or size != _HEAD.size + index + code:
        raise NoByteCode("the compiler was broken off")
