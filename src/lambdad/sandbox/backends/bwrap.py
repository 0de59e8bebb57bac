"""The `bwrap` backend: sandboxes built by bubblewrap, for hosts where lambdad is not root.

The guest sees the same as in a native sandbox, behind the same filter. What needs control groups
is weaker: memory is looked at instead of bounded, processor time is not shared out. It has no
network beyond its own loopback. Run by root it gives every sandbox a user of its own, and needs no
user namespaces.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

import lambdad
from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import Clock
from lambdad.domain.environments import Zygote
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import bwrap_command, process_tree
from lambdad.sandbox.base import Guard, GuardState, SandboxSpec
from lambdad.sandbox.polled_sandbox import PolledSandbox, data_bytes, start
from lambdad.sandbox.seccomp import filter_program

_PYTHON = "/usr/bin/python3"
_READY_TIMEOUT_S = 30.0
_MEMLOCK_BYTES = 64 * 1024
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from lambdad.guest.bwrap_init import main; main(int(sys.argv[2]), sys.argv[3])"
)
_NATIVE = "Run lambdad as root, so that it takes the native backend."
_ACTIVE = (
    ("mount namespace", "reading the host's files", "own tree, read-only, pivoted"),
    ("pid namespace", "seeing and signalling other processes", "own PID 1"),
    ("network namespace", "reaching the host's sockets and other functions", "own loopback"),
    ("ipc namespace", "shared memory and queues of other functions", "own namespace"),
    ("uts namespace", "learning the host's name", "own namespace"),
    ("cgroup namespace", "learning the host's cgroup paths", "own namespace"),
    ("no capabilities", "using root's powers", "all sets empty"),
    ("no new privileges", "gaining power by set-uid programs", "no_new_privs"),
    ("seccomp", "attacking the kernel by rare system calls", "allow-list"),
    ("process limit", "fork bombs", "RLIMIT_NPROC"),
    ("descriptor limit", "exhausting open files", "RLIMIT_NOFILE"),
    ("egress filter", "reaching private networks and the host's services", "no network at all"),
)
_WEAK = (
    ("memory limit", "eating the host's memory", "looked at ten times a second"),
    ("freezer", "running between invocations", "SIGSTOP"),
    ("ephemeral storage", "filling the host's disk through /tmp", "it is in the host's memory"),
)


class BwrapBackend:
    """See `SandboxBackend`.

    Args:
        config: users and the number of environments.
        state_dir: holds what stands for `/etc`.
        clock: for when sandboxes stood.
    """

    name = "bwrap"
    zygotes = False
    roots = False

    def __init__(self, config: SandboxConfig, state_dir: Path, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._state_dir = state_dir
        self._etc = state_dir / "etc"
        self._root = os.geteuid() == 0
        self._binary = ""
        self._sandboxes: set[PolledSandbox] = set()
        self._free_slots = set(range(config.max_environments))

    async def open(self) -> None:
        """See `SandboxBackend`."""
        self._binary = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin") or ""
        if not self._binary:
            raise HostUnfit("bubblewrap is missing.", "Install the package bubblewrap.")
        if not os.access(_PYTHON, os.X_OK):
            raise HostUnfit(f"{_PYTHON} is missing.", "Install the package python3.")
        first = self._config.first_uid
        uids = [(uid, uid) for uid in range(first, first + self._config.max_environments)]
        if not self._root:
            uids = [(bwrap_command.ROOTLESS_UID, bwrap_command.ROOTLESS_GID)]
        try:
            await asyncio.to_thread(self._sweep)
            await asyncio.to_thread(bwrap_command.write_etc, self._etc, uids)
        except OSError as error:
            raise HostUnfit(
                f"{self._etc} cannot be written: {error}.", "Choose another data directory."
            ) from error

    def _sweep(self) -> None:
        """Remove what a killed predecessor left.

        bubblewrap's processes go with the one that started them, but for one moment: while it
        builds, the inner half waits for the outer one, and would do so for ever.
        """
        for pid in process_tree.with_argument(str(self._etc)):
            process_tree.send(pid, signal.SIGKILL)
        shutil.rmtree(self._etc, ignore_errors=True)

    async def create(self, spec: SandboxSpec) -> PolledSandbox:
        """See `SandboxBackend`."""
        if not self._free_slots:
            raise HostUnfit("All environments are in use.", "Raise sandbox.max_environments.")
        slot = self._free_slots.pop()
        try:
            sandbox, complaints = self._start(spec, slot)
        except BaseException:
            self._free_slots.add(slot)
            raise
        with os.fdopen(complaints, "rb") as stderr:
            try:
                async with asyncio.timeout(_READY_TIMEOUT_S):
                    await sandbox.ready(spec.ports)
            except (HostUnfit, TimeoutError) as error:
                await sandbox.destroy()
                # bubblewrap has ended, so nothing more comes.
                said = stderr.read().decode(errors="replace").strip().splitlines()
                raise HostUnfit(
                    f"bubblewrap could not build a sandbox: {said[-1] if said else error}.",
                    "Does this host allow unprivileged user namespaces?",
                ) from error
            except BaseException:
                await sandbox.destroy()
                raise
        return sandbox

    def _start(self, spec: SandboxSpec, slot: int) -> tuple[PolledSandbox, int]:
        """Start bubblewrap; return the sandbox to be, and where complaints can be read."""
        uid = self._config.first_uid + slot if self._root else None
        settings = {"ports": list(spec.ports), "uid": uid, "limits": _limits(spec)}
        with ExitStack() as given:
            seccomp = given.enter_context(_file(filter_program()))
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            given.enter_context(theirs)
            reader, writer = os.pipe2(os.O_CLOEXEC)
            given.callback(os.close, writer)
            try:
                command = [
                    self._binary,
                    *bwrap_command.arguments(
                        root=self._root,
                        seccomp_fd=seccomp.fileno(),
                        etc=self._etc,
                        guest=Path(lambdad.__file__).parent / "guest",
                        mounts=spec.mounts,
                        tmp_mb=spec.limits.ephemeral_storage_mb,
                    ),
                    *("--", _PYTHON, "-I", "-S", "-B", "-c", _START, bwrap_command.GUEST_CODE),
                    *(str(theirs.fileno()), json.dumps(settings)),
                ]
                process = start(command, [seccomp.fileno(), theirs.fileno()], stderr=writer)
            except BaseException:
                os.close(reader)
                ours.close()
                raise
        return self._sandbox(spec, slot, process, ours, uid), reader

    def _sandbox(
        self,
        spec: SandboxSpec,
        slot: int,
        process: subprocess.Popen[bytes],
        control: socket.socket,
        uid: int | None,
    ) -> PolledSandbox:
        def forget() -> None:
            self._sandboxes.discard(sandbox)
            self._free_slots.add(slot)

        sandbox = PolledSandbox(
            spec.environment_id,
            process,
            control,
            spec.limits,
            uid=uid,
            clock=self._clock,
            on_destroyed=forget,
        )
        self._sandboxes.add(sandbox)
        return sandbox

    async def prepare(self, zygote: Zygote) -> None:
        """See `SandboxBackend`: there are no zygotes."""

    def guards(self) -> Sequence[Guard]:
        """See `SandboxBackend`."""
        active, weak, absent = GuardState.ACTIVE, GuardState.DEGRADED, GuardState.ABSENT
        user = "one uid per environment" if self._root else "the daemon's, in a user namespace"
        found = [
            Guard(name=name, state=active, stops=stops, detail=detail)
            for name, stops, detail in _ACTIVE
        ]
        found += [
            Guard(name=name, state=weak, stops=stops, detail=detail, remedy=_NATIVE)
            for name, stops, detail in _WEAK
        ]
        found.append(
            Guard(
                name="own user",
                state=active if self._root else weak,
                stops="touching what belongs to others",
                detail=user,
                remedy="" if self._root else _NATIVE,
            )
        )
        found.append(
            Guard(
                name="cpu limit",
                state=absent,
                stops="taking more processor time than bought",
                detail="there are no control groups",
                remedy=_NATIVE,
            )
        )
        return found

    async def close(self) -> None:
        """See `SandboxBackend`."""
        await asyncio.gather(*(sandbox.destroy() for sandbox in list(self._sandboxes)))
        await asyncio.to_thread(shutil.rmtree, self._etc, ignore_errors=True)


def _limits(spec: SandboxSpec) -> dict[int, int]:
    return {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: data_bytes(spec.limits),
        resource.RLIMIT_MEMLOCK: _MEMLOCK_BYTES,
        resource.RLIMIT_NOFILE: spec.limits.descriptors,
        resource.RLIMIT_NPROC: spec.limits.processes + 1,
    }


def _file(content: bytes) -> BinaryIO:
    """Return a file in memory, to be read from its beginning."""
    file = os.fdopen(os.memfd_create("seccomp", os.MFD_CLOEXEC), "w+b", buffering=0)
    file.write(content)
    file.seek(0)
    return cast("BinaryIO", file)
