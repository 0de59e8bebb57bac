"""The contract of a sandbox: what confines an execution environment.

A backend creates sandboxes; a sandbox runs processes. What a process *means* (a runtime, an
extension) and when it is frozen or restarted is not known here.
Every backend passes `lambdad.testing.sandbox_contract`.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lambdad.domain.environments import Mount, ResourceLimits, Zygote

# What a program gets beyond its output (1, 2) and its telemetry (3).
FIRST_INHERITED_FD = 4


class GuardState(StrEnum):
    """Whether a guard protects on this host."""

    ACTIVE = "active"
    DEGRADED = "degraded"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One protection of a backend, as `lambdad doctor` shows it.

    Attributes:
        name: `mount namespace`, `seccomp`, `memory limit`, ...
        stops: what it keeps a hostile function from, in a few words.
        detail: how it is done here (`cgroup v1`), or why it is missing.
        remedy: what the operator can do when it is not active; empty when it is.
    """

    name: str
    state: GuardState
    stops: str
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """What a sandbox is made of.

    Attributes:
        environment_id: unique, 1-64 characters of `[0-9a-z-]`; names cgroups and devices.
        mounts: read-only files and directories; parents before children.
        ports: TCP ports on which the sandbox listens on its own 127.0.0.1 for the supervisor.
        egress: whether the guest may open connections to public addresses.
        zygote: what `forked` processes are forked from, or None; an optimisation of backends that
            have zygotes, see :attr:`SandboxBackend.zygotes`.
        root: root directory of the guest, read-only, instead of the host's programs; with places
            for what is mounted over it. Only on backends with :attr:`SandboxBackend.roots`.
        early: whether it may be returned before it stands; what is asked of it then waits for
            that, and raises what kept it from standing.
    """

    environment_id: str
    mounts: Sequence[Mount]
    limits: ResourceLimits
    ports: Sequence[int]
    egress: bool = True
    zygote: Zygote | None = None
    root: Path | None = None
    early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A program to run in a sandbox, in the guest's view of paths.

    Attributes:
        environment: the whole environment; may hold secrets, so it never passes through a
            process that later forks other sandboxes.
        telemetry: whether the process gets a pipe for framed log records, announced to it as
            `_LAMBDA_TELEMETRY_LOG_FD`.
        inherited: at most 4 descriptors that the process gets as `FIRST_INHERITED_FD` and the
            following ones. They stay the caller's, who may close them after the spawn.
        forked: whether it is the script of the sandbox's zygote, and may be forked from that
            instead of being executed.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    telemetry: bool = False
    inherited: Sequence[int] = ()
    forked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitStatus:
    """How a process ended: exactly one of `code` and `signal` is set.

    Attributes:
        out_of_memory: the kernel killed something in the sandbox for memory since the last
            :meth:`Sandbox.spawn`.
    """

    code: int | None = None
    signal: signal.Signals | int | None = None
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listening TCP socket inside the sandbox, served from outside.

    Whoever connects to it is in the sandbox: the socket is the identity of the environment.

    Attributes:
        socket: non-blocking; the sandbox's user owns and closes it, before `destroy`.
        address: `host:port` as the guest reaches it.
    """

    socket: socket.socket
    address: str


class GuestProcess(Protocol):
    """A process in a sandbox.

    Attributes:
        output: read end, non-blocking, of the pipe that is its stdout and stderr. The
            caller closes it.
        telemetry: read end, non-blocking, of the framed log pipe, or None.
    """

    output: int
    telemetry: int | None

    async def wait(self) -> ExitStatus:
        """Return how it ended; may be awaited often and by many. Cancellation is harmless."""
        ...

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended."""
        ...


class Sandbox(Protocol):
    """One running sandbox.

    Every method may be called in any state. After :meth:`destroy` has returned no process,
    mount, network device, cgroup or file of the sandbox is left on the host.

    Attributes:
        alive: whether its PID 1 runs, as far as is known.
        stood: when it first stood, in monotonic seconds of the backend's clock; infinity as long
            as it does not. No program of it has run before.
    """

    environment_id: str
    listeners: Mapping[int, Listener]
    stood: float

    @property
    def alive(self) -> bool:
        """See above."""
        ...

    async def spawn(self, process: ProcessSpec) -> GuestProcess:
        """Start a program.

        Raises:
            HostUnfit: the sandbox is gone or the program cannot be started. A program that
                does not exist is no error here: it ends with exit status 127 (126 when it
                cannot be executed).
        """
        ...

    def mount(self, mounts: Sequence[Mount]) -> Awaitable[None]:
        """Begin to show further read-only directories, at places that exist and show nothing yet.

        Only on backends with :attr:`SandboxBackend.zygotes`. The guest sees them when what is
        returned was awaited.

        Raises:
            HostUnfit: here or there: a source is missing, or the sandbox is gone; it is to be
                destroyed.
        """
        ...

    async def connect(self, port: int) -> socket.socket:
        """Return a non-blocking TCP connection to a port of the sandbox's own 127.0.0.1.

        It is made inside, so that it leads nowhere else. Waits while the sandbox is frozen.

        Raises:
            OSError: nobody listens there, or the sandbox is gone.
        """
        ...

    async def kill_processes(self) -> None:
        """Kill every guest process; the sandbox and its `/tmp` stay. Thaws if frozen.

        Raises:
            HostUnfit: the sandbox is gone and has to be replaced.
        """
        ...

    def freeze(self) -> None:
        """Stop every guest process in its tracks. Takes well under a millisecond."""
        ...

    def thaw(self) -> None:
        """Let frozen processes go on; harmless when nothing is frozen."""
        ...

    def set_limits(self, limits: ResourceLimits) -> None:
        """Change memory and CPU limits; ephemeral storage stays as created."""
        ...

    def memory_charge_bytes(self) -> int:
        """Memory in use now, page cache included; 0 where that is not known."""
        ...

    def memory_peak_bytes(self) -> int:
        """Most memory in use at once since creation or :meth:`reset_memory_peak`."""
        ...

    def reset_memory_peak(self) -> None:
        """Start measuring the peak anew."""
        ...

    def guest_path(self, path: str) -> str:
        """Where a path of the spec (`/var/task/x`) is for the guest; the same when isolated."""
        ...

    async def destroy(self) -> None:
        """Kill everything and free what it held; never raises, may be called twice."""
        ...


class SandboxBackend(Protocol):
    """A way to confine; chosen by running a real sandbox at start.

    Attributes:
        zygotes: whether sandboxes can be made before it is known for which function: with
            `SandboxSpec.zygote` and :meth:`Sandbox.mount`.
        roots: whether a sandbox can have a root directory of its own, as images need it.
    """

    name: str
    zygotes: bool
    roots: bool

    async def open(self) -> None:
        """Prepare the host and sweep what a killed predecessor left.

        Raises:
            HostUnfit: this backend cannot work here; nothing is left behind.
        """
        ...

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Build a sandbox, ready to :meth:`Sandbox.spawn` in.

        Raises:
            HostUnfit: the host refused; nothing is left behind.
        """
        ...

    async def prepare(self, zygote: Zygote) -> None:
        """Start an interpreter, so that later sandboxes have it; in vain if it does not work."""
        ...

    def guards(self) -> Sequence[Guard]:
        """What protects on this host; valid after :meth:`open`."""
        ...

    async def close(self) -> None:
        """Destroy all sandboxes and undo :meth:`open`; never raises, may be called twice."""
        ...
