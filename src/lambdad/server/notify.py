"""Tells the service manager how the daemon stands, by systemd's notification protocol."""

from __future__ import annotations

import socket

from lambdad.config.service import notify_socket


def notify(state: str) -> None:
    """Send `READY=1` or the like; does nothing without a manager, and never raises."""
    address = notify_socket()
    if address is None:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(state.encode(), address)
        except OSError:
            return
