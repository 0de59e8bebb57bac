"""Network devices, addresses and routes, by the kernel's rtnetlink messages.

What a sandbox's wire needs and no more, because it is loaded into the process that builds
sandboxes: nothing but the standard library is imported, no program is started. Which names and
addresses are given out is decided in `lambdad.sandbox.firewall`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple

# linux/netlink.h
_REQUEST, _ACK, _EXCL, _CREATE, _DUMP = 0x1, 0x4, 0x200, 0x400, 0x300
_ACK_TLVS = 0x200
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _CAP_ACK, _EXT_ACK, _STRICT_CHECK = 270, 10, 11, 12
_ERROR_TEXT = 1
_HEADER = struct.Struct("=IHHII")

# linux/rtnetlink.h
_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE = 16, 17, 18, 20, 24
_TABLE_MAIN, _PROTOCOL_STATIC, _ROUTE_UNICAST = 254, 4, 1
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_NEXT_HOP_ON_LINK = 4
_ROUTE_DESTINATION, _ROUTE_DEVICE, _ROUTE_GATEWAY = 1, 4, 5

# linux/if_link.h, linux/if_addr.h, linux/veth.h
_LINK_NAME, _LINK_INFO, _LINK_AF_SPEC, _LINK_NETNS_FD = 3, 18, 26, 28
_LINK_SENDING_QUEUES, _LINK_RECEIVING_QUEUES = 31, 32
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_INET6_ADDR_GEN_MODE, _GENERATE_NONE = 8, 1
_ADDR_ADDRESS, _ADDR_LOCAL = 1, 2
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_UP = 1
# linux/sockios.h, `struct ifreq` of linux/if.h
_SIOCGIFINDEX = 0x8933
_INTERFACE = struct.Struct("=16si20x")

_BUFFER_BYTES = 1 << 16


class Link(NamedTuple):
    """A network device of the namespace.

    Attributes:
        ifindex: the kernel's number of it, unique in the namespace.
        name: 1 to 15 characters.
    """

    ifindex: int
    name: str


class Netlink:
    """A conversation with one network namespace: the one the calling thread is in when it opens.

    The thread may go elsewhere afterwards. Every method raises OSError, with the kernel's own
    explanation where it gives one, and takes some ten microseconds. Not for use by two threads.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._sequence = 0
        for option in (_CAP_ACK, _EXT_ACK, _STRICT_CHECK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation; the devices stay."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def create_veth(self, name: str, peer: str, peer_netns: int) -> None:
        """Make a pair of devices that are the two ends of a wire, both down.

        Args:
            name: of the end in this namespace.
            peer: of the end in the other namespace.
            peer_netns: descriptor of the other namespace. When that namespace ends, so does
                the pair.
        """
        # The kernel would make as many queues as there are processors, each with files in sysfs.
        queues = _word(_LINK_SENDING_QUEUES, 1) + _word(_LINK_RECEIVING_QUEUES, 1)
        other = _LINK.pack(0, 0, 0, 0, 0) + queues
        other += _text(_LINK_NAME, peer) + _word(_LINK_NETNS_FD, peer_netns)
        info = _text(_INFO_KIND, "veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, other))
        body = _LINK.pack(0, 0, 0, 0, 0) + queues
        body += _text(_LINK_NAME, name) + _attribute(_LINK_INFO, info)
        self._change(_NEWLINK, _CREATE | _EXCL, body, f"create the device pair {name}")

    def index(self, name: str) -> int:
        """Return the index of the device of that name."""
        # A message would be answered with all that there is to say about the device.
        request = _INTERFACE.pack(name.encode(), 0)
        try:
            answer = fcntl.ioctl(self._socket, _SIOCGIFINDEX, request)
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise OSError(error.errno, f"cannot find the device {name}: {why}") from error
        return int(_INTERFACE.unpack(answer)[1])

    def links(self, prefix: str = "") -> list[Link]:
        """Return the devices whose names begin with `prefix`."""
        self._send(_GETLINK, _DUMP, _LINK.pack(0, 0, 0, 0, 0))
        found = [
            _parse_link(payload)
            for kind, payload in self._receive("list the devices", many=True)
            if kind == _NEWLINK
        ]
        return [link for link in found if link.name.startswith(prefix)]

    def set_up(self, index: int) -> None:
        """Switch a device on. It takes part in IPv4 only: it gives itself no IPv6 address."""
        inet6 = _attribute(_INET6_ADDR_GEN_MODE, bytes([_GENERATE_NONE]))
        quiet = _attribute(_LINK_AF_SPEC, _attribute(socket.AF_INET6, inet6))
        try:
            self._change(_NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + quiet, "quiet IPv6")
        except OSError as error:
            # A kernel without IPv6 has nothing to quieten; a device may have none of it either.
            if error.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                raise
        body = _LINK.pack(0, 0, index, _UP, _UP)
        self._change(_NEWLINK, 0, body, f"switch on the device {index}")

    def add_address(self, index: int, address: str, prefix_length: int = 32) -> None:
        """Give a device an IPv4 address."""
        packed = socket.inet_aton(address)
        body = _ADDRESS.pack(socket.AF_INET, prefix_length, 0, _SCOPE_UNIVERSE, index)
        body += _attribute(_ADDR_LOCAL, packed) + _attribute(_ADDR_ADDRESS, packed)
        self._change(_NEWADDR, _CREATE | _EXCL, body, f"give {address} to the device {index}")

    def add_host_route(self, address: str, index: int) -> None:
        """Reach one IPv4 address directly through a device, which must be up."""
        body = _route(32, _SCOPE_LINK, 0)
        body += _attribute(_ROUTE_DESTINATION, socket.inet_aton(address))
        body += _word(_ROUTE_DEVICE, index)
        self._change(_NEWROUTE, _CREATE | _EXCL, body, f"route {address} to the device {index}")

    def add_default_route(self, gateway: str, index: int) -> None:
        """Reach all other IPv4 addresses through a gateway at the other end of a device."""
        body = _route(0, _SCOPE_UNIVERSE, _NEXT_HOP_ON_LINK)
        body += _attribute(_ROUTE_GATEWAY, socket.inet_aton(gateway)) + _word(_ROUTE_DEVICE, index)
        self._change(_NEWROUTE, _CREATE | _EXCL, body, f"route everything through {gateway}")

    def delete_link(self, index: int) -> None:
        """Remove a device and the other end of its pair.

        Takes 10 to 30 ms and holds up every other change of networks on the host; closing the
        namespace of the other end does the same in the background.
        """
        body = _LINK.pack(0, 0, index, 0, 0)
        self._change(_DELLINK, 0, body, f"remove the device {index}")

    def _change(self, kind: int, flags: int, body: bytes, task: str) -> None:
        self._send(kind, flags, body)
        for _ in self._receive(task):
            pass

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        length = _HEADER.size + len(body)
        flags |= _REQUEST if flags & _DUMP == _DUMP else _REQUEST | _ACK
        self._socket.send(_HEADER.pack(length, kind, flags, self._sequence, 0) + body)

    def _receive(self, task: str, *, many: bool = False) -> Iterator[tuple[int, bytes]]:
        """Yield (kind, payload) of the answers, up to and without the acknowledgement."""
        while True:
            data = self._socket.recv(_BUFFER_BYTES)
            while len(data) >= _HEADER.size:
                length, kind, flags, sequence, _ = _HEADER.unpack_from(data)
                payload, data = data[_HEADER.size : length], data[(length + 3) & ~3 :]
                if sequence != self._sequence:
                    continue
                if kind in (_ERROR, _DONE):
                    _raise_if_failed(payload, flags, task)
                    if kind == _DONE or not many:
                        return
                yield kind, payload


def _raise_if_failed(payload: bytes, flags: int, task: str) -> None:
    number = -struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
    if number == 0:
        return
    why = os.strerror(number)
    if flags & _ACK_TLVS:
        # The header of the request is echoed between the number and the attributes.
        texts = dict(_attributes(payload[4 + _HEADER.size :]))
        why = texts.get(_ERROR_TEXT, why.encode()).rstrip(b"\0").decode(errors="replace")
    raise OSError(number, f"cannot {task}: {why}")


def _parse_link(payload: bytes) -> Link:
    index = _LINK.unpack_from(payload)[2]
    name = dict(_attributes(payload[_LINK.size :])).get(_LINK_NAME, b"")
    return Link(index, name.rstrip(b"\0").decode())


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind, data[4:length]
        data = data[(length + 3) & ~3 :]


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _word(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _route(prefix_length: int, scope: int, flags: int) -> bytes:
    table, protocol, kind = _TABLE_MAIN, _PROTOCOL_STATIC, _ROUTE_UNICAST
    return _ROUTE.pack(socket.AF_INET, prefix_length, 0, 0, table, protocol, scope, kind, flags)
