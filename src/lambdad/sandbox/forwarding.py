"""Whether the host's kernel passes IPv4 packets on, and what it was before lambdad came.

Where forwarding is off it is switched on, and that is remembered in the daemon's directory. The
host must not become a router for its neighbours by that: the devices that existed at the moment
are to be guarded (`lambdad.sandbox.firewall` drops what newly comes in by them for elsewhere).
With the daemon forwarding is switched off again, unless devices have come since that may rely on
it: a container engine's bridge, a virtual machine's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_SWITCH = Path("/proc/sys/net/ipv4/ip_forward")
_DEVICES = Path("/proc/sys/net/ipv4/conf")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# Entries that are no devices, and the one that forwards nothing.
_NO_NEIGHBOURS = ("all", "default", "lo")


class Forwarding:
    """The switch, as one daemon uses it, in the network namespace of the process.

    Args:
        state_dir: where the memory is kept.
        own_prefix: what the names of the daemon's own devices begin with.
    """

    def __init__(self, state_dir: Path, own_prefix: str) -> None:
        self._memory = state_dir / "ip_forward.json"
        self._own_prefix = own_prefix

    def devices_to_guard(self) -> list[str]:
        """Return the devices whose neighbours had no router before; none if they had.

        Raises:
            OSError: the host does not say.
        """
        if not _is_on():
            return self._foreign_devices()
        return self._remembered() or []

    def switch_on(self, guarded: Sequence[str]) -> None:
        """Let packets pass, and remember it if they did not before.

        Raises:
            OSError: the host refuses.
        """
        if _is_on():
            return
        # First the memory, then the deed: a crash in between loses nothing.
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        self._memory.write_text(json.dumps({"boot": _boot(), "devices": list(guarded)}))
        _SWITCH.write_text("1")

    def put_back(self) -> None:
        """Undo :meth:`switch_on`, whoever of this directory's daemons did it.

        Raises:
            OSError: the host refuses.
        """
        before = self._remembered()
        if before is not None and set(self._foreign_devices()) <= set(before):
            _SWITCH.write_text("0")
        self._memory.unlink(missing_ok=True)

    def _remembered(self) -> list[str] | None:
        """Return the devices of the moment of switching on; None if it was not us."""
        try:
            memory = json.loads(self._memory.read_text())
        except (FileNotFoundError, ValueError):
            return None
        # What was switched since the host started anew was switched by somebody else.
        if not isinstance(memory, dict) or memory.get("boot") != _boot():
            return None
        return [str(name) for name in memory.get("devices", ())]

    def _foreign_devices(self) -> list[str]:
        names = (entry.name for entry in _DEVICES.iterdir())
        return sorted(
            name
            for name in names
            if name not in _NO_NEIGHBOURS and not name.startswith(self._own_prefix)
        )


def _is_on() -> bool:
    return _SWITCH.read_text().strip() != "0"


def _boot() -> str:
    return _BOOT.read_text().strip()
