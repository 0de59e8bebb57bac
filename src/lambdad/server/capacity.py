"""How much of this host its environments get."""

from __future__ import annotations

from lambdad.config.sections import Config
from lambdad.dataplane.capacity import HostCapacity
from lambdad.domain.clock import Clock
from lambdad.sandbox.host_memory import HostMemory

_MIB = 1024 * 1024


def host_capacity(config: Config, clock: Clock) -> HostCapacity:
    """Return the capacity that is configured, or what the host has less a reserve.

    Half of the reserve stays free whatever is configured: there the host would begin to swap.
    """
    memory = HostMemory()
    wanted_mb = config.dataplane.memory_mb
    return HostCapacity(
        total_bytes=memory.total - memory.reserve if wanted_mb is None else wanted_mb * _MIB,
        environments=config.sandbox.max_environments,
        clock=clock,
        overcommit=config.dataplane.memory_overcommit,
        available=lambda: max(0, memory.available() - memory.reserve // 2),
    )
