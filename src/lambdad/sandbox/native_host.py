"""What the native backend takes from the host once, for all its sandboxes, and gives back.

Claiming sweeps what a killed predecessor in the same directory has left. Two daemons in one
directory are refused.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lambdad.config.sections import SandboxConfig
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import firewall, native_guards, syscalls
from lambdad.sandbox.base import Guard
from lambdad.sandbox.cgroups import CgroupTree, Hierarchies
from lambdad.sandbox.ephemeral import EphemeralStorage
from lambdad.sandbox.host_memory import HostMemory
from lambdad.sandbox.netlink import Netlink

_LOG = logging.getLogger(__name__)


class NativeHost:
    """The host, as one daemon holds it.

    Args:
        config: users, limits and egress.
        state_dir: the daemon's own directory.
        hierarchies: control groups to use; those of this process by default.

    Attributes:
        instance: names the daemon's groups, devices and rules.
        cgroups: where sandboxes get their limits.
        ephemeral: where they get `/tmp` from; None where it has to be in memory.
        egress: whether there is a way to the network.
    """

    def __init__(
        self, config: SandboxConfig, state_dir: Path, hierarchies: Hierarchies | None = None
    ) -> None:
        self._config = config
        self._state_dir = state_dir
        self.instance = firewall.instance_of(state_dir)
        self.cgroups = CgroupTree(hierarchies or Hierarchies.of_this_process(), self.instance)
        self.ephemeral: EphemeralStorage | None = None
        self.egress = False
        self._no_ephemeral = self._no_egress = ""
        self._resolvers = firewall.host_resolvers()
        self._firewall = firewall.Firewall(config, state_dir, self._resolvers)
        self._lock_fd: int | None = None
        self._dynmods_fd: int | None = None

    def claim(self) -> None:
        """Take possession. Blocks for some 50 ms; for a thread.

        Raises:
            HostUnfit: the host refuses; :meth:`release` what there is.
        """
        if os.geteuid() != 0:
            raise HostUnfit("The native backend needs root.", "Run lambdad as root.")
        self._state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._state_dir / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise HostUnfit(
                f"Another lambdad uses {self._state_dir}.", "Stop it, or use another directory."
            ) from error
        self._lock_fd = fd
        self._sweep()
        self.cgroups.open()
        _keep_memory_free(self.cgroups)
        if self._config.favordynmods:
            self._dynmods_fd = _favor_dynamic_modifications()
        storage = EphemeralStorage(self._state_dir / "tmp")
        try:
            storage.open()
            self.ephemeral = storage
        except HostUnfit as error:
            self._no_ephemeral = str(error)

    def _sweep(self) -> None:
        groups = [self.cgroups.group(name) for name in sorted(self.cgroups.leftovers())]
        for group in groups:
            group.kill_all()
        for group in groups:
            group.remove()
        with Netlink() as netlink:
            for index, _ in netlink.links(firewall.interface_prefix(self.instance)):
                # Gone already if its namespace was faster.
                with suppress(OSError):
                    netlink.delete_link(index)
        if groups:
            _LOG.info("swept %d sandboxes of a predecessor", len(groups))

    async def open_egress(self) -> None:
        """Put the packet rules in force if the configuration wants egress and the host can."""
        if not self._config.egress:
            self._no_egress = "switched off by sandbox.egress."
            return
        try:
            await self._firewall.apply()
            self.egress = True
        except HostUnfit as error:
            self._no_egress = str(error)

    async def close_egress(self) -> None:
        """Take the packet rules away."""
        if self.egress:
            self.egress = False
            try:
                await self._firewall.remove()
            except HostUnfit as error:
                _LOG.warning("packet rules stay: %s", error)

    def release(self) -> None:
        """Give everything back, in a thread; harmless when nothing is held."""
        if self._lock_fd is None:
            return
        self.cgroups.close()
        if self._dynmods_fd is not None:
            os.close(self._dynmods_fd)
        os.close(self._lock_fd)
        self._dynmods_fd = self._lock_fd = None

    def guards(self) -> Sequence[Guard]:
        """What protects here."""
        return native_guards.guards(
            self.cgroups,
            no_ephemeral=self._no_ephemeral,
            no_egress=self._no_egress,
            resolvers=self._resolvers,
        )


def _keep_memory_free(cgroups: CgroupTree) -> None:
    """Wall environments off from memory that the host needs to go on, however fast they grow."""
    memory = HostMemory()
    try:
        cgroups.limit_memory(memory.total - memory.reserve // 2)
    except OSError as error:
        _LOG.warning("the memory of all environments together is not limited: %s", error)


def _favor_dynamic_modifications() -> int | None:
    """Make attaching to v1 groups take 0.1 instead of 7 ms: a kernel-wide switch.

    It comes with any hierarchy that is mounted so, also an empty one that nobody sees. Older
    kernels take it back when the hierarchy goes, so the descriptor is kept.
    """
    options: dict[str, str | None] = {"none": None, "name": "lambdad", "favordynmods": None}
    try:
        return syscalls.new_mount("cgroup", options, 0)
    except OSError as error:
        _LOG.info("cgroup changes stay slow: %s", error)
        return None
