"""What takes up room on the host: a sandbox, and the claim that it counts with."""

from __future__ import annotations

from lambdad.dataplane.capacity import Claim, Usage
from lambdad.dataplane.host import EnvironmentHost
from lambdad.sandbox.base import Sandbox


class Occupant:
    """Base of environments. Mutable: its claim, once counted, and its sandbox, once opened."""

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

    async def _vacate(self) -> None:
        """Free what it holds, the claim last; never raises, may be called twice."""
        if self._sandbox is not None:
            await self._host.dispose(self._sandbox)
        if self.claim is not None:
            self.claim.release()
