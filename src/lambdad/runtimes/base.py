"""The contract of a runtime: how a language on this host serves an AWS runtime identifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lambdad.domain.environments import TASK_ROOT, Mount, Zygote


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An installed language runtime that serves one identifier.

    Attributes:
        identifier: AWS's, for example `python3.12`.
        version: exact, for example `3.12.1`; empty for `provided.*`.
        source: where it was found, for people.
        argv: the command that starts the runtime process, in guest paths; empty when the
            function brings its own, see `entrypoints`.
        entrypoints: programs in guest paths that start a runtime without `argv`: the first that
            the function's code or layers contain.
        mounts: what it needs beyond `/var/task`; parents before children.
        environment: variables this runtime adds to or sets differently from the common ones
            (AWS developer guide); the function's own variables may override those AWS allows.
        telemetry: whether its client writes framed log records to `_LAMBDA_TELEMETRY_LOG_FD`.
        ahead: whether its client can be started before it is known for which function: it then
            writes a byte to the descriptor in `_LAMBDAD_ASSIGNMENT_FD` and reads its variables
            there, NAME=value, each with a NUL behind it. Without `argv`: whether its sandbox can.
        sized: whether it must know the memory size of its function when it is started ahead.
        zygote: what its process can be forked from, or None.
        channel: whether its client can take the Runtime API over the two descriptors whose
            numbers are in `_LAMBDAD_CHANNEL`.
        compiler: command that compiles what is in the directories of its further arguments and
            writes the byte code to descriptor 4, for its client, which takes the descriptors of
            it in `_LAMBDAD_BYTECODE`; empty where there is nothing to compile.
        restorer: command that becomes the process of a snapshot, which is descriptor 5, where the
            client itself does not; its variables come by descriptor 4 as for a process that waits.
            Empty where there is none.
        root: root directory with everything in it, None for the host's programs.
        directory: where its process starts.
    """

    identifier: str
    version: str
    source: str
    argv: Sequence[str]
    mounts: Sequence[Mount]
    entrypoints: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    telemetry: bool = False
    ahead: bool = False
    sized: bool = False
    zygote: Zygote | None = None
    channel: bool = False
    compiler: Sequence[str] = ()
    restorer: Sequence[str] = ()
    root: Path | None = None
    directory: str = TASK_ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeReport:
    """One line of `lambdad runtimes`: an identifier and whether this host serves it.

    Attributes:
        identifier: AWS's.
        version: of what serves it; empty where the function brings that, None when nothing does.
        source: where it is, or why there is none.
        remedy: how to get it, when nothing serves it.
        stands_in: whether the version is another one than the identifier names.
        prepared: whether its first environment has nothing to wait for.
        prewarmed: whether its processes are started before it is known for which function.
    """

    identifier: str
    version: str | None
    source: str
    remedy: str = ""
    stands_in: bool = False
    prepared: bool = False
    prewarmed: bool = False


class RuntimeProvider(Protocol):
    """One language family."""

    def identifiers(self) -> Sequence[str]:
        """Every AWS identifier of the family that lambdad knows."""
        ...

    def find(self, identifier: str) -> Runtime:
        """Return the runtime for an identifier of the family; cached, so cheap.

        Raises:
            HostUnfit: the host lacks it; the remedy says how to get it.
        """
        ...
