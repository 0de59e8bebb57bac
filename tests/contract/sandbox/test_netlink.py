"""Devices, addresses and routes as the kernel makes them."""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from collections.abc import Iterator
from functools import partial

import pytest

from lambdad.sandbox.netlink import Netlink
from lambdad.testing.namespaces import NetworkNamespace

pytestmark = pytest.mark.root


@pytest.fixture
def host() -> Iterator[NetworkNamespace]:
    with NetworkNamespace() as network:
        yield network


@pytest.fixture
def guest() -> Iterator[NetworkNamespace]:
    with NetworkNamespace() as network:
        yield network


def _wire(host: NetworkNamespace, guest: NetworkNamespace) -> tuple[int, int]:
    host.netlink.create_veth("lmdtest-0", "eth0", guest.fd)
    outer, inner = host.netlink.index("lmdtest-0"), guest.netlink.index("eth0")
    for netlink, index in ((host.netlink, outer), (guest.netlink, inner)):
        netlink.set_up(index)
    return outer, inner


def test_a_wire_joins_two_networks(host: NetworkNamespace, guest: NetworkNamespace) -> None:
    outer, inner = _wire(host, guest)
    host.netlink.add_address(outer, "100.96.0.1")
    host.netlink.add_host_route("100.96.0.2", outer)
    guest.netlink.add_address(inner, "100.96.0.2")
    guest.netlink.add_default_route("100.96.0.1", inner)
    with (
        host.run(lambda: socket.create_server(("100.96.0.1", 80))) as server,
        guest.run(lambda: socket.create_connection(("100.96.0.1", 80), timeout=5)),
    ):
        connection, peer = server.accept()
        connection.close()
    assert peer[0] == "100.96.0.2"


def test_devices_are_found_by_prefix(host: NetworkNamespace, guest: NetworkNamespace) -> None:
    for name in ("lmda-0", "lmda-1", "lmdb-0"):
        host.netlink.create_veth(name, f"{name}x", guest.fd)
    found = host.netlink.links("lmda-")
    assert sorted(link.name for link in found) == ["lmda-0", "lmda-1"]
    assert {link.ifindex for link in found} == {
        host.netlink.index("lmda-0"),
        host.netlink.index("lmda-1"),
    }
    assert "lo" in {link.name for link in host.netlink.links()}


def test_hundreds_of_devices_are_listed_whole(
    host: NetworkNamespace, guest: NetworkNamespace
) -> None:
    names = {f"lmda-{number}" for number in range(200)}
    for name in names:
        host.netlink.create_veth(name, name, guest.fd)
    assert {link.name for link in host.netlink.links("lmda-")} == names


def test_a_wire_has_one_queue_each_way_on_any_host(
    host: NetworkNamespace, guest: NetworkNamespace
) -> None:
    """Or each would cost as many as there are processors."""
    _wire(host, guest)
    for namespace, device in ((host, "lmdtest-0"), (guest, "eth0")):
        namespace.run(partial(_has_one_queue, device))


def _has_one_queue(device: str) -> None:
    # SIOCETHTOOL, ETHTOOL_GCHANNELS: most and present numbers of receiving and sending queues.
    request = array.array("I", [0x3C, *[0] * 8])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        interface = struct.pack("16sQ16x", device.encode(), request.buffer_info()[0])
        fcntl.ioctl(control, 0x8946, interface)
    assert list(request)[1:3] == [1, 1]


def test_removing_one_end_removes_both(host: NetworkNamespace, guest: NetworkNamespace) -> None:
    outer, _ = _wire(host, guest)
    host.netlink.delete_link(outer)
    assert host.netlink.links("lmd") == []
    assert [link.name for link in guest.netlink.links()] == ["lo"]


def test_a_device_gives_itself_no_ipv6_address(
    host: NetworkNamespace, guest: NetworkNamespace
) -> None:
    _wire(host, guest)

    def addresses() -> str:
        with open("/proc/thread-self/net/if_inet6") as file:  # noqa: PTH123
            return file.read()

    assert "lmdtest" not in host.run(addresses)
    assert "eth0" not in guest.run(addresses)


def test_errors_say_what_failed_and_why(host: NetworkNamespace, guest: NetworkNamespace) -> None:
    outer, _ = _wire(host, guest)
    with pytest.raises(FileExistsError, match="create the device pair lmdtest-0"):
        host.netlink.create_veth("lmdtest-0", "eth1", guest.fd)
    with pytest.raises(OSError, match="find the device nobody: No such device") as raised:
        host.netlink.index("nobody")
    assert raised.value.errno == errno.ENODEV
    with pytest.raises(OSError, match=r"cannot route 1\.2\.3\.4 to the device 4711"):
        host.netlink.add_host_route("1.2.3.4", 4711)
    with pytest.raises(OSError, match="lmdtest-with-too-long-a-name"):
        host.netlink.create_veth("lmdtest-with-too-long-a-name", "eth1", guest.fd)
    with pytest.raises(OSError, match="cannot give"):
        host.netlink.add_address(4711, "1.2.3.4")
    host.netlink.set_up(outer)  # the conversation goes on after errors


def test_a_conversation_stays_with_the_network_it_began_in(
    host: NetworkNamespace, guest: NetworkNamespace
) -> None:
    _wire(host, guest)
    with guest.run(Netlink) as netlink:
        assert [link.name for link in netlink.links("eth")] == ["eth0"]
        assert netlink.links("lmdtest") == []
