"""Waits for the lease of a mapping."""

from __future__ import annotations

from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.checkpoints import Checkpoints, Lease
from lambdad.event_source_mappings.stopping import Stopping

_PAUSE_S = 5.0


async def take_lease(
    checkpoints: Checkpoints, mapping: EventSourceMapping, stopping: Stopping
) -> Lease | None:
    """Return the lease when nobody else holds it; None when polling is to stop."""
    while not stopping.stopped:
        lease = await checkpoints.take(mapping)
        if lease is not None:
            return lease
        await stopping.pause(_PAUSE_S)
    return None
