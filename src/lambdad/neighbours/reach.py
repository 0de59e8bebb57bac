"""Which web servers the daemon asks in the name of others: of topics, and of APIs.

Who subscribes or makes an API chooses an address that the daemon then asks: a function could reach
through it what this host serves to itself alone. So addresses of this host are refused, but for
lambdad's own port, which functions reach anyway, and link-local ones always.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass

from lambdad.neighbours.forwarding import Streams

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotReached(Exception):
    """An address may not be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be reached.

    Attributes:
        own_port: of lambdad.
        local: whether this host's addresses may be reached, too.
    """

    own_port: int
    local: bool

    async def connect(self, host: str, port: int, tls: ssl.SSLContext | None) -> Streams:
        """Connect with a server by its name; what was checked is what is connected with.

        Raises:
            NotReached: it may not be reached.
            OSError: it cannot be.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ip = str(found[0][4][0])
        self.check(ip, port)
        return await asyncio.open_connection(
            ip, port, ssl=tls, server_hostname=host if tls else None
        )

    def check(self, ip: str, port: int) -> None:
        """Refuse an address that may not be reached.

        Raises:
            NotReached: it may not.
        """
        address = _plain(ip)
        if address.is_link_local or address.is_multicast:
            raise _refused(ip, "link-local and multicast addresses are the host's own business")
        if self.local or not _is_of_this_host(address):
            return
        if port == self.own_port and address.is_loopback:
            return
        raise _refused(
            ip,
            "it is an address of lambdad's own host; outgoing.local_addresses = true lets topics "
            "and APIs send there",
        )


def _plain(ip: str) -> Address:
    """Return the address that is meant, without zone and without its wrapping in IPv6."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_of_this_host(address: Address) -> bool:
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Only addresses of this host can be bound to.
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def _refused(ip: str, why: str) -> NotReached:
    return NotReached(f"{ip} is not sent to: {why}.")
