"""Which sandbox backends there are, and which of them this host can run.

Backends are found by entry point, so that one from elsewhere is loaded like lambdad's own. A
host's abilities are not guessed from files: a backend is fit when a program has run in it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import Clock
from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.base import ExitStatus, ProcessSpec, SandboxBackend, SandboxSpec

GROUP = "lambdad.sandbox_backends"
# From the strongest to none.
PREFERENCE = ("native", "bwrap", "process")
_PROBE_TIMEOUT_S = 20.0
_LOG = logging.getLogger(__name__)


class BackendType(Protocol):
    """How every backend is made."""

    def __call__(self, config: SandboxConfig, state_dir: Path, clock: Clock) -> SandboxBackend:
        """Return a backend that is not open yet."""
        ...


def backend(name: str) -> BackendType:
    """Return the backend class of that name.

    Raises:
        HostUnfit: none is installed, or it cannot be loaded.
    """
    points = entry_points(group=GROUP, name=name)
    if not points:
        known = ", ".join(sorted(entry_points(group=GROUP).names))
        raise HostUnfit(
            f"There is no sandbox backend {name!r}.", f"Set sandbox.backend to one of: {known}."
        )
    try:
        return cast("BackendType", next(iter(points)).load())
    except ImportError as error:
        raise HostUnfit(f"The sandbox backend {name} cannot be loaded: {error}.", "") from error


async def choose(
    config: SandboxConfig, state_dir: Path, clock: Clock
) -> tuple[SandboxBackend, list[str]]:
    """Open the configured backend, or with `auto` the best one that works here.

    Args:
        config: names the backend.
        state_dir: parent of the backends' directories.
        clock: handed to the backend.

    Returns:
        The opened backend, and one line for each better one, why it was not taken.

    Raises:
        HostUnfit: the configured one does not work, or none does.
    """
    names = PREFERENCE if config.backend == "auto" else (config.backend,)
    notes: list[str] = []
    for name in names:
        try:
            candidate = backend(name)(config, state_dir / name, clock)
            await _probe(candidate)
        except HostUnfit as error:
            if len(names) == 1:
                raise
            notes.append(f"{name}: {error}")
            continue
        if name == "process":
            _LOG.warning(
                "NO ISOLATION: functions run as ordinary processes of this user and can read and "
                "change whatever it can. Run lambdad as root, or install bubblewrap."
            )
        return candidate, notes
    raise HostUnfit(f"No sandbox backend works here: {'; '.join(notes)}.", "See `lambdad doctor`.")


async def _probe(candidate: SandboxBackend) -> None:
    """Open a backend and run a program in it; close it if that fails."""
    await candidate.open()
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            status = await _run_once(candidate)
        if status.code != 0:
            raise HostUnfit(f"A first program ended with {status}.", "See `lambdad doctor`.")
    except TimeoutError as error:
        await candidate.close()
        raise HostUnfit("A first program did not end.", "See `lambdad doctor`.") from error
    except BaseException:
        await candidate.close()
        raise


async def _run_once(candidate: SandboxBackend) -> ExitStatus:
    limits = ResourceLimits(memory_mb=128, vcpus=None, ephemeral_storage_mb=512)
    spec = SandboxSpec(environment_id="probe", mounts=(), limits=limits, ports=(), egress=False)
    sandbox = await candidate.create(spec)
    try:
        program = ProcessSpec(argv=["/bin/sh", "-c", ":"], environment={}, cwd="/")
        process = await sandbox.spawn(program)
        try:
            return await process.wait()
        finally:
            os.close(process.output)
    finally:
        await sandbox.destroy()
