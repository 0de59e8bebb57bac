"""What a sandbox stands on before it has a process: user, control groups, network and `/tmp`.

None of it depends on the function, none of it holds a process, and each is used once. How a
sandbox is put on it is not known here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from lambdad.config.sections import SandboxConfig
from lambdad.domain.environments import ResourceLimits
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import firewall
from lambdad.sandbox.base import Listener
from lambdad.sandbox.cgroups import Cgroup
from lambdad.sandbox.native_host import NativeHost
from lambdad.sandbox.native_sandbox import Holdings, device_gone
from lambdad.sandbox.network import Network, Networks, Wire
from lambdad.sandbox.slots import Slot, Slots

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Kind:
    """What of a sandbox's specification it depends on.

    Attributes:
        storage_mb: MiB of `/tmp`.
    """

    ports: tuple[int, ...]
    egress: bool
    storage_mb: int


@dataclass(frozen=True, slots=True)
class Footing:
    """See the module; owned by whoever has it.

    Attributes:
        procs: descriptors by which a process joins the control groups.
        network: descriptor of the network namespace.
        listeners: in that namespace, by port.
    """

    slot: Slot
    holdings: Holdings
    procs: tuple[int, ...]
    network: int
    listeners: Mapping[int, Listener]

    def close_given(self) -> None:
        """Close what the sandbox's process has by now, or will never need."""
        for fd in (*self.procs, self.network):
            os.close(fd)

    def assign(self, limits: ResourceLimits) -> None:
        """Make what was made for any function one for a certain function.

        Raises:
            OSError: the host refuses.
        """
        self.holdings.cgroup.set_limits(limits, extra_memory_mb=self.holdings.extra_memory_mb)


class Foundry:
    """Makes footings, and takes apart those that no sandbox was put on.

    Args:
        config: users and addresses.
        host: claimed.
        slots: of this daemon.
        threads: where blocking work is done.
    """

    def __init__(
        self, config: SandboxConfig, host: NativeHost, slots: Slots, threads: Executor
    ) -> None:
        self._config = config
        self._host = host
        self._slots = slots
        self._threads = threads
        self._networks = Networks()

    async def make(self, kind: Kind, name: str, limits: ResourceLimits) -> Footing:
        """Make one, its parts at the same time.

        Args:
            kind: what depends on it.
            name: of the control groups.
            limits: of these.

        Raises:
            HostUnfit: the host refuses; nothing is left.
        """
        slot = self._slots.take()
        try:
            return await self._make(kind, name, limits, slot)
        except BaseException:
            self._slots.release(slot)
            raise

    async def _make(self, kind: Kind, name: str, limits: ResourceLimits, slot: Slot) -> Footing:
        in_memory_mb = 0 if self._host.ephemeral else kind.storage_mb
        wire = self._wire(slot) if kind.egress and self._host.egress else None
        storing = self._in_thread(self._storage, kind.storage_mb)
        wiring = self._networks.make(kind.ports, wire)
        try:
            cgroup, procs = await self._in_thread(self._groups, name, limits, in_memory_mb)
        except BaseException as error:
            await asyncio.gather(_undone(storing), _undone(wiring))
            raise _refused(error) from error
        storage: int | None = None
        try:
            storage = await storing
            network = await wiring
        except BaseException as error:
            await _undone(wiring)
            for fd in procs:
                os.close(fd)
            holdings = self._holdings(slot, cgroup, in_memory_mb, storage)
            await self._in_thread(holdings.free)
            raise _refused(error) from error
        holdings = self._holdings(slot, cgroup, in_memory_mb, storage, wire)
        return Footing(slot, holdings, procs, network.namespace, network.listeners)

    def _holdings(
        self,
        slot: Slot,
        cgroup: Cgroup,
        in_memory_mb: int,
        storage: int | None,
        wire: Wire | None = None,
    ) -> Holdings:
        return Holdings(
            uid=self._config.first_uid + slot.number,
            cgroup=cgroup,
            extra_memory_mb=in_memory_mb,
            device=wire.host_device if wire else None,
            storage=storage,
        )

    def _wire(self, slot: Slot) -> Wire:
        return Wire(
            host_device=firewall.interface_name(self._host.instance, slot.number),
            address=firewall.guest_address(self._config.subnet, slot.number),
            gateway=firewall.gateway_address(self._config.subnet),
        )

    def _storage(self, size_mb: int) -> int | None:
        return self._host.ephemeral.create(size_mb) if self._host.ephemeral else None

    def _groups(
        self, name: str, limits: ResourceLimits, in_memory_mb: int
    ) -> tuple[Cgroup, tuple[int, ...]]:
        cgroup = self._host.cgroups.group(name)
        cgroup.create(limits, extra_memory_mb=in_memory_mb)
        try:
            return cgroup, tuple(cgroup.open_procs())
        except OSError:
            cgroup.remove()
            raise

    async def dispose(self, footing: Footing) -> None:
        """Take one apart that no sandbox was put on."""
        footing.close_given()
        for listener in footing.listeners.values():
            listener.socket.close()
        await self._in_thread(footing.holdings.free)
        if footing.holdings.device is not None:
            await device_gone(footing.holdings.device)
        self._slots.release(footing.slot)

    def close(self) -> None:
        """End what makes them. Blocks for what is being made."""
        self._networks.close()

    def _in_thread(self, work: Callable[..., _T], *arguments: object) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


async def _undone(making: Awaitable[int | Network | None]) -> None:
    """Wait for what nobody will need any more, and let go of it."""
    try:
        made = await making
    except (OSError, HostUnfit):
        return
    if isinstance(made, Network):
        made.close()
    elif made is not None:
        os.close(made)


def _refused(error: BaseException) -> BaseException:
    if not isinstance(error, OSError):
        return error
    return HostUnfit(f"A sandbox could not be prepared: {error}.", "See `lambdad doctor`.")
