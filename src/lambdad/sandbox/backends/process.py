"""The `process` backend: plain processes of the host, for a developer's own functions.

It keeps order, not safety: a directory for `/tmp`, an own user if the daemon is root and that
user can read the code, limits that a process can be given, and nothing left behind. A function can
read and change whatever that user can.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import lambdad
from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import Clock
from lambdad.domain.environments import Mount, Zygote
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import process_tree
from lambdad.sandbox.base import Guard, GuardState, Listener, ProcessSpec, SandboxSpec
from lambdad.sandbox.path_translation import PathTranslation
from lambdad.sandbox.polled_sandbox import PolledProcess, PolledSandbox, data_bytes, start

_READY_TIMEOUT_S = 30.0
_MIB = 1024 * 1024
_BACKLOG = 128
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from lambdad.sandbox.keeper import main; main(int(sys.argv[2]), sys.argv[3])"
)
_REMEDY = "Run lambdad as root, or install bubblewrap."
_ABSENT = (
    ("mount namespace", "reading the host's files"),
    ("pid namespace", "seeing and signalling other processes"),
    ("network namespace", "reaching the host's sockets and other functions"),
    ("ipc namespace", "shared memory and queues of other functions"),
    ("uts namespace", "learning the host's name"),
    ("cgroup namespace", "learning the host's cgroup paths"),
    ("no capabilities", "using root's powers"),
    ("no new privileges", "gaining power by set-uid programs"),
    ("seccomp", "attacking the kernel by rare system calls"),
    ("cpu limit", "taking more processor time than bought"),
    ("egress filter", "reaching private networks and the host's services"),
)


class ProcessSandbox(PolledSandbox):
    """See `Sandbox`: paths are rewritten, ports are the host's."""

    translation: PathTranslation

    async def spawn(self, process: ProcessSpec) -> PolledProcess:
        """See `Sandbox`."""
        return await super().spawn(self.translation.process(process))

    def guest_path(self, path: str) -> str:
        """See `Sandbox`."""
        return self.translation.path(path)


class ProcessBackend:
    """See `SandboxBackend`.

    Args:
        config: users and the number of environments.
        state_dir: holds the directories that stand for `/tmp`.
        clock: for when sandboxes stood.
    """

    name = "process"
    zygotes = False
    roots = False

    def __init__(self, config: SandboxConfig, state_dir: Path, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._places = state_dir / "environments"
        self._sandboxes: set[ProcessSandbox] = set()
        self._free_slots = set(range(config.max_environments))

    async def open(self) -> None:
        """See `SandboxBackend`."""
        try:
            await asyncio.to_thread(self._sweep)
            self._places.mkdir(parents=True, mode=0o711)
        except OSError as error:
            raise HostUnfit(
                f"{self._places} cannot be made: {error}.", "Choose another data directory."
            ) from error

    def _sweep(self) -> None:
        """Remove what a killed predecessor left; its keepers have killed the processes."""
        if self._places.exists():
            for place in self._places.iterdir():
                _kill_strays(place)
            shutil.rmtree(self._places)

    async def create(self, spec: SandboxSpec) -> ProcessSandbox:
        """See `SandboxBackend`."""
        if not self._free_slots:
            raise HostUnfit("All environments are in use.", "Raise sandbox.max_environments.")
        _check_sources(spec.mounts)
        slot = self._free_slots.pop()
        place = self._places / spec.environment_id
        with ExitStack() as undo:
            undo.callback(self._free_slots.add, slot)
            undo.callback(shutil.rmtree, place, ignore_errors=True)
            uid = self._uid(slot, spec.mounts)
            _make_tmp(place, uid)
            listeners = {port: undo.enter_context(_listener()) for port in spec.ports}
            sandbox = self._start(spec, slot, place, uid)
            # From here on destruction undoes it all.
            undo.pop_all()
        sandbox.translation = PathTranslation(spec.mounts, place)
        sandbox.listeners = {port: _described(listener) for port, listener in listeners.items()}
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await sandbox.ready(())
        except TimeoutError as error:
            await sandbox.destroy()
            raise HostUnfit("A keeper of processes does not start.", "") from error
        except BaseException:
            await sandbox.destroy()
            raise
        return sandbox

    def _start(self, spec: SandboxSpec, slot: int, place: Path, uid: int | None) -> ProcessSandbox:
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: spec.limits.descriptors,
            resource.RLIMIT_DATA: data_bytes(spec.limits),
            resource.RLIMIT_FSIZE: spec.limits.ephemeral_storage_mb * _MIB,
        }
        if uid is not None:
            # The kernel counts by user: without one of its own, it would count the host's.
            limits[resource.RLIMIT_NPROC] = spec.limits.processes + 1
        settings = json.dumps({"uid": uid, "limits": limits})
        root = str(Path(lambdad.__file__).parent.parent)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-I", "-S", "-B", "-c", _START, root, str(theirs.fileno())]
        with theirs:
            try:
                process = start([*command, settings], [theirs.fileno()])
            except HostUnfit:
                ours.close()
                raise
        sandbox = ProcessSandbox(
            spec.environment_id,
            process,
            ours,
            spec.limits,
            uid=uid,
            clock=self._clock,
            on_destroyed=lambda: self._forget(sandbox, slot, place),
        )
        self._sandboxes.add(sandbox)
        return sandbox

    def _uid(self, slot: int, mounts: Sequence[Mount]) -> int | None:
        """Return the user of a sandbox; None for the daemon's own."""
        if os.geteuid() != 0 or not _is_passable(self._places / "any"):
            return None
        readable = all(_is_public(mount.source) for mount in mounts)
        return self._config.first_uid + slot if readable else None

    def _forget(self, sandbox: ProcessSandbox, slot: int, place: Path) -> None:
        # The keeper kills all it has. Only if a function has killed its keeper is somebody left.
        _kill_strays(place)
        shutil.rmtree(place, ignore_errors=True)
        self._sandboxes.discard(sandbox)
        self._free_slots.add(slot)

    async def prepare(self, zygote: Zygote) -> None:
        """See `SandboxBackend`: there are no zygotes."""

    def guards(self) -> Sequence[Guard]:
        """See `SandboxBackend`."""
        why = "functions run as ordinary processes"
        absent = [
            Guard(name=name, state=GuardState.ABSENT, stops=stops, detail=why, remedy=_REMEDY)
            for name, stops in _ABSENT
        ]
        own_user = os.geteuid() == 0
        weak = (
            ("own user", "touching what belongs to others", "where it can read the code")
            if own_user
            else ("own user", "touching what belongs to others", ""),
            ("descriptor limit", "exhausting open files", "a soft limit of each process"),
            ("memory limit", "eating the host's memory", "looked at ten times a second"),
            ("process limit", "fork bombs", "by own user" if own_user else ""),
            ("freezer", "running between invocations", "SIGSTOP"),
            ("ephemeral storage", "filling the host's disk through /tmp", "size of each file only"),
        )
        return [*absent, *(_weak(*row) for row in weak)]

    async def close(self) -> None:
        """See `SandboxBackend`."""
        await asyncio.gather(*(sandbox.destroy() for sandbox in list(self._sandboxes)))
        await asyncio.to_thread(shutil.rmtree, self._places, ignore_errors=True)


def _weak(name: str, stops: str, detail: str) -> Guard:
    state = GuardState.DEGRADED if detail else GuardState.ABSENT
    detail = detail or "functions run as the daemon's user"
    return Guard(name=name, state=state, stops=stops, detail=detail, remedy=_REMEDY)


def _check_sources(mounts: Sequence[Mount]) -> None:
    for mount in mounts:
        if mount.writable:
            raise HostUnfit(
                f"The process backend cannot mount {mount.source} at {mount.target}.", _REMEDY
            )
        if not mount.source.exists():
            raise HostUnfit(
                f"A sandbox could not be built: {mount.source} does not exist.",
                "Deploy the function again.",
            )


def _make_tmp(place: Path, uid: int | None) -> None:
    try:
        place.mkdir(mode=0o700)
        if uid is not None:
            os.chown(place, uid, uid)
    except OSError as error:
        raise HostUnfit(f"A directory for /tmp cannot be made: {error}.", "") from error


def _kill_strays(place: Path) -> None:
    for pid in process_tree.with_variable(f"TMPDIR={place}"):
        process_tree.kill(pid)
        process_tree.send(pid, signal.SIGKILL)


def _is_public(path: Path) -> bool:
    """Whether everybody may read a file or directory, and get there."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    needed = 0o005 if path.is_dir() else 0o004
    return mode & needed == needed and _is_passable(path)


def _is_passable(path: Path) -> bool:
    """Whether everybody may get to what lies in the directory of `path`."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def _listener() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


def _described(listener: socket.socket) -> Listener:
    host, port = listener.getsockname()
    return Listener(socket=listener, address=f"{host}:{port}")
