"""What an execution environment is made of, whatever confines it and whatever runs in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lambdad.domain import limits

TASK_ROOT = "/var/task"
LAYER_ROOT = "/opt"
RUNTIME_DIR = "/var/runtime"
LANGUAGE_DIR = "/var/lang"

RUNTIME_API_PORT = 9001


class InitializationType(StrEnum):
    """`AWS_LAMBDA_INITIALIZATION_TYPE`: why an environment was initialised."""

    ON_DEMAND = "on-demand"
    PROVISIONED = "provisioned-concurrency"
    SNAP_START = "snap-start"

    @property
    def provisioned(self) -> bool:
        """Whether it was before anybody wanted it."""
        return self is InitializationType.PROVISIONED


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A host file or directory that the guest sees.

    Attributes:
        source: absolute path on the host.
        target: absolute path inside; later mounts may lie below earlier ones.
        writable: the guest may write there; on the host it does so as the owner of `source` where
            the backend and the file system can, else as the user that it runs as.
    """

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Zygote:
    """An interpreter that is started once and then forked for every environment.

    Attributes:
        argv: command that starts the interpreter, in guest paths, without a program.
        script: program that a fork runs, in guest paths, as if it had been executed with it.
        modules: what the interpreter imports before it is forked.
        mounts: what it needs to start.
        environment: names and values; what it is started with.
        directories: to be there, empty, while it starts: where it will look for files of functions.
    """

    argv: tuple[str, ...]
    script: str
    modules: tuple[str, ...]
    mounts: tuple[Mount, ...]
    environment: tuple[tuple[str, str], ...]
    directories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """What one environment may use.

    Attributes:
        memory_mb: MiB, page cache included, `/tmp` excluded.
        vcpus: share of processors; None means no quota (used while initialising).
        ephemeral_storage_mb: MiB of `/tmp`.
    """

    memory_mb: int
    vcpus: float | None
    ephemeral_storage_mb: int
    processes: int = limits.PROCESSES
    descriptors: int = limits.FILE_DESCRIPTORS
