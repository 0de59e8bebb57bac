"""What takes up room on the host: a sandbox, and the claim that it counts with."""

from __future__ import annotations

import asyncio
import logging

from lambdad.dataplane.capacity import Claim, Usage
from lambdad.dataplane.host import EnvironmentHost
from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.domain.functions import Function
from lambdad.sandbox.base import Sandbox

_LOGGER = logging.getLogger(__name__)
# For so long a function may have more of the processors than its share, when it was initialised.
_LIMIT_AFTER_S = 0.002


class Occupant:
    """Base of environments. Mutable: its claim, once counted, and its sandbox, once opened.

    Attributes:
        restored: whether its process goes on with a snapshot.
    """

    restored = False

    def __init__(self, host: EnvironmentHost) -> None:
        self.claim: Claim | None = None
        self._host = host
        self._sandbox: Sandbox | None = None

    def memory(self) -> Usage:
        """What its processes have."""
        if self._sandbox is None:
            return Usage(now=0, peak=0)
        charge, peak = self._sandbox.memory_charge_bytes(), self._sandbox.memory_peak_bytes()
        return Usage(now=charge, peak=peak)

    async def _find_room(self, environment_id: str, function: Function) -> Sandbox:
        """Return a sandbox with the function in it; raises as `EnvironmentHost.create_sandbox`."""
        create = self._host.create_sandbox
        return await create(environment_id, function, restored=self.restored)

    def _limit_soon(self, limits: ResourceLimits) -> None:
        """Put limits in force behind most answers: the kernel takes longer than most functions."""
        asyncio.get_running_loop().call_later(_LIMIT_AFTER_S, self._limit, limits)

    def _limit(self, limits: ResourceLimits) -> None:
        if self._sandbox is not None:
            try:
                self._sandbox.set_limits(limits)
            except HostUnfit as error:
                _LOGGER.error("environment %s: %s", self._sandbox.environment_id, error)

    async def _vacate(self) -> None:
        """Free what it holds, the claim last; never raises, may be called twice."""
        if self._sandbox is not None:
            await self._host.dispose(self._sandbox)
        if self.claim is not None:
            self.claim.release()
