"""Network namespaces for tests: each has a thread of its own, which lives in it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from lambdad.sandbox.netlink import Netlink

_CLONE_NEWNET = 0x4000_0000
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


class NetworkNamespace:
    """An empty network, loopback up. Gone, with its devices, after the block. Needs root.

    Attributes:
        fd: descriptor of the namespace.
        netlink: its devices, addresses and routes.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, initializer=_leave_network)
        self.fd = self.run(lambda: os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        self.netlink = self.run(Netlink)
        self.netlink.set_up(self.netlink.index("lo"))

    def run(self, task: Callable[[], T]) -> T:
        """Do something in this network, programs started by it included; 20 s at most."""
        return self._thread.submit(task).result(timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.netlink.close()
        os.close(self.fd)
        self._thread.shutdown()


def _leave_network() -> None:
    if _libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
