"""The network of one sandbox: a namespace, made by a thread of the daemon before any process of it.

A thread enters a new namespace, furnishes it and goes home; what stays is a descriptor, by which
the sandbox's first process enters it. When the last descriptor, listener and process is gone, so
are the namespace and the wire.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from lambdad.sandbox import syscalls
from lambdad.sandbox.base import Listener
from lambdad.sandbox.netlink import Netlink

_LISTEN_BACKLOG = 128
_GUEST_DEVICE = "eth0"
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Wire:
    """The network device of a sandbox: the name of the host's end, IPv4 addresses of both."""

    host_device: str
    address: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Network:
    """A namespace that nothing is in yet.

    Attributes:
        namespace: its descriptor.
        listeners: sockets listening in it, by port.
    """

    namespace: int
    listeners: dict[int, Listener]

    def close(self) -> None:
        """Let go of it."""
        for listener in self.listeners.values():
            listener.socket.close()
        os.close(self.namespace)


class Networks:
    """The thread that makes them.

    State: `_home` and `_host`, the daemon's own namespace and a conversation with it, from the
    first on.
    """

    def __init__(self) -> None:
        # SECURITY: no thread may be started by this one, for it could be born away from home.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="networks")
        self._home: int | None = None
        self._host: Netlink | None = None

    def make(self, ports: Sequence[int], wire: Wire | None) -> Awaitable[Network]:
        """Begin to make one, with a loopback, listeners on it, and a wire if it is to have one.

        Returns:
            What to await for it. Raises OSError: the host refuses; nothing is left.
        """
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, self._make, tuple(ports), wire)

    def _make(self, ports: tuple[int, ...], wire: Wire | None) -> Network:
        if self._home is None:
            self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if wire is not None and self._host is None:
            # A netlink socket belongs to the namespace it was opened in.
            self._host = Netlink()
        syscalls.unshare(syscalls.CLONE_NEWNET)
        try:
            return self._furnish(ports, wire)
        finally:
            syscalls.setns(self._home, syscalls.CLONE_NEWNET)

    def _furnish(self, ports: tuple[int, ...], wire: Wire | None) -> Network:
        with ExitStack() as undo:
            namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            undo.callback(os.close, namespace)
            syscalls.loopback_up()
            listeners = {}
            for port in ports:
                listener = _listen(port)
                undo.callback(listener.close)
                listeners[port] = Listener(socket=listener, address=f"{_LOOPBACK}:{port}")
            if wire is not None and self._host is not None:
                _connect(self._host, wire, namespace)
            undo.pop_all()
        return Network(namespace, listeners)

    def close(self) -> None:
        """End the thread. Blocks until what it makes is made."""
        self._thread.shutdown()
        if self._host is not None:
            self._host.close()
        if self._home is not None:
            os.close(self._home)
        self._host = self._home = None


def _connect(host: Netlink, wire: Wire, namespace: int) -> None:
    """Lay the wire to the host: one address, and the host as gateway for everything else."""
    host.create_veth(wire.host_device, _GUEST_DEVICE, namespace)
    outer = host.index(wire.host_device)
    # The gateway's address is on every host end, so that it goes when the device goes.
    host.add_address(outer, wire.gateway)
    host.set_up(outer)
    host.add_host_route(wire.address, outer)
    with Netlink() as guest:
        inner = guest.index(_GUEST_DEVICE)
        guest.add_address(inner, wire.address)
        guest.set_up(inner)
        guest.add_default_route(wire.gateway, inner)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_LOOPBACK, port))
    listener.listen(_LISTEN_BACKLOG)
    return listener
