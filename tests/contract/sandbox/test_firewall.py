"""The packet rules, in force between a pseudo host, sandboxes, a neighbour and an internet."""

from __future__ import annotations

import asyncio
import errno
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.sandbox.firewall import (
    Firewall,
    gateway_address,
    guest_address,
    instance_of,
    interface_name,
    ruleset,
)
from lambdad.testing.namespaces import NetworkNamespace

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs the package nftables"),
]

SUBNET = "100.96.0.0/16"
INTERNET, HOST_PUBLIC = "203.0.113.1", "203.0.113.2"
NEIGHBOUR, HOST_PRIVATE = "10.9.0.1", "10.9.0.2"
OTHER_NEIGHBOUR = "10.9.0.3"
METADATA = "169.254.169.254"
REFUSED = {errno.EHOSTUNREACH, errno.EACCES, errno.ENETUNREACH}


@dataclass
class Lab:
    """A host with two sandboxes, one network card to the internet and one to an office."""

    state_dir: Path
    stack: ExitStack
    host: NetworkNamespace = field(init=False)
    servers: dict[tuple[str, int], socket.socket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.host = self.stack.enter_context(NetworkNamespace())
        # A new namespace may have inherited what this host does.
        self.host.run(lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("0"))
        self.internet = self._neighbourhood("up0", HOST_PUBLIC, (INTERNET,))
        self.office = self._neighbourhood(
            "up1", HOST_PRIVATE, (NEIGHBOUR, OTHER_NEIGHBOUR, METADATA)
        )
        self.sandboxes = [self._sandbox(slot) for slot in range(2)]
        for address in (INTERNET, NEIGHBOUR, OTHER_NEIGHBOUR, METADATA):
            network = self.internet if address == INTERNET else self.office
            for port in (80, 81, 25):
                self._serve(network, address, port)
        for address in (HOST_PUBLIC, HOST_PRIVATE, gateway_address(SUBNET)):
            self._serve(self.host, address, 80)
        for slot, sandbox in enumerate(self.sandboxes):
            self._serve(sandbox, guest_address(SUBNET, slot), 80)

    def _neighbourhood(
        self, device: str, host_address: str, addresses: tuple[str, ...]
    ) -> NetworkNamespace:
        network = self.stack.enter_context(NetworkNamespace())
        self.host.netlink.create_veth(device, "eth0", network.fd)
        here, there = self.host.netlink.index(device), network.netlink.index("eth0")
        self.host.netlink.add_address(here, host_address)
        self.host.netlink.set_up(here)
        network.netlink.set_up(there)
        for address in addresses:
            network.netlink.add_address(there, address)
            self.host.netlink.add_host_route(address, here)
        network.netlink.add_default_route(host_address, there)
        return network

    def _sandbox(self, slot: int) -> NetworkNamespace:
        sandbox = self.stack.enter_context(NetworkNamespace())
        name = interface_name(instance_of(self.state_dir), slot)
        self.host.netlink.create_veth(name, "eth0", sandbox.fd)
        outer, inner = self.host.netlink.index(name), sandbox.netlink.index("eth0")
        self.host.netlink.add_address(outer, gateway_address(SUBNET))
        self.host.netlink.set_up(outer)
        self.host.netlink.add_host_route(guest_address(SUBNET, slot), outer)
        sandbox.netlink.add_address(inner, guest_address(SUBNET, slot))
        sandbox.netlink.set_up(inner)
        sandbox.netlink.add_default_route(gateway_address(SUBNET), inner)
        return sandbox

    def _serve(self, network: NetworkNamespace, address: str, port: int) -> None:
        server = network.run(lambda: socket.create_server((address, port)))
        self.servers[address, port] = self.stack.enter_context(server)
        server.settimeout(5)

    def firewall(self, **settings: object) -> Firewall:
        config = SandboxConfig(subnet=SUBNET, **settings)  # type: ignore[arg-type]
        return Firewall(config, self.state_dir)

    def do(self, coroutine: object) -> None:
        """Run a coroutine on the host."""
        self.host.run(lambda: asyncio.run(coroutine))  # type: ignore[arg-type]

    def on_host(self, *command: str) -> str:
        return self.host.run(
            lambda: subprocess.run(command, capture_output=True, text=True, check=True).stdout
        )

    def forwards(self) -> str:
        return self.host.run(Path("/proc/sys/net/ipv4/ip_forward").read_text).strip()

    def connect(self, network: NetworkNamespace, address: str, port: int = 80) -> str:
        """Open a connection and return the address that the server sees."""
        with network.run(lambda: socket.create_connection((address, port), timeout=1)):
            connection, peer = self.servers[address, port].accept()
            connection.close()
            return str(peer[0])


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield Lab(tmp_path, stack)


def test_a_function_reaches_public_addresses_as_the_host(lab: Lab) -> None:
    lab.do(lab.firewall().apply())
    assert lab.connect(lab.sandboxes[0], INTERNET) == HOST_PUBLIC


@pytest.mark.parametrize(
    "address",
    [
        NEIGHBOUR,
        METADATA,
        HOST_PUBLIC,
        HOST_PRIVATE,
        gateway_address(SUBNET),
        guest_address(SUBNET, 1),
    ],
)
def test_what_is_not_public_is_refused_at_once(lab: Lab, address: str) -> None:
    lab.do(lab.firewall().apply())
    with pytest.raises(OSError) as raised:  # noqa: PT011 - the number is what counts
        lab.connect(lab.sandboxes[0], address)
    assert raised.value.errno in REFUSED


def test_without_the_rules_the_same_destinations_answer(lab: Lab) -> None:
    lab.host.run(lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
    for address in (NEIGHBOUR, METADATA, HOST_PUBLIC, guest_address(SUBNET, 1)):
        assert lab.connect(lab.sandboxes[0], address) == guest_address(SUBNET, 0)


def test_mail_cannot_be_sent_directly(lab: Lab) -> None:
    lab.do(lab.firewall().apply())
    with pytest.raises(OSError) as raised:  # noqa: PT011 - the number is what counts
        lab.connect(lab.sandboxes[0], INTERNET, 25)
    assert raised.value.errno in REFUSED


def test_an_opening_opens_one_port_of_one_address(lab: Lab) -> None:
    lab.do(lab.firewall(allow_private=(f"{NEIGHBOUR}:80",)).apply())
    assert lab.connect(lab.sandboxes[0], NEIGHBOUR) == HOST_PRIVATE
    for address, port in ((NEIGHBOUR, 81), (OTHER_NEIGHBOUR, 80), (HOST_PRIVATE, 80)):
        with pytest.raises(OSError):  # noqa: PT011
            lab.connect(lab.sandboxes[0], address, port)


def test_an_opening_may_be_the_host_itself(lab: Lab) -> None:
    lab.do(lab.firewall(allow_private=(f"{HOST_PRIVATE}:80",)).apply())
    assert lab.connect(lab.sandboxes[0], HOST_PRIVATE) == guest_address(SUBNET, 0)
    with pytest.raises(OSError):  # noqa: PT011
        lab.connect(lab.sandboxes[0], HOST_PUBLIC)


def test_a_resolver_answers_on_its_port_alone(lab: Lab) -> None:
    config = SandboxConfig(subnet=SUBNET)
    with lab.office.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind((NEIGHBOUR, 53))
        server.settimeout(5)
        lab.do(Firewall(config, lab.state_dir, resolvers=[NEIGHBOUR]).apply())
        with lab.sandboxes[0].run(
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ) as query:
            query.sendto(b"who?", (NEIGHBOUR, 53))
            assert server.recvfrom(16)[0] == b"who?"
        with pytest.raises(OSError):  # noqa: PT011
            lab.connect(lab.sandboxes[0], NEIGHBOUR, 80)


def test_nobody_outside_opens_a_connection_to_a_sandbox(lab: Lab) -> None:
    lab.do(lab.firewall().apply())
    with pytest.raises(OSError):  # noqa: PT011
        lab.connect(lab.office, guest_address(SUBNET, 0))


def test_the_host_does_not_become_a_router_for_its_neighbours(lab: Lab) -> None:
    assert lab.forwards() == "0"
    lab.do(lab.firewall().apply())
    assert lab.forwards() == "1"
    with pytest.raises(OSError):  # noqa: PT011
        lab.connect(lab.office, INTERNET)


def test_rules_of_others_are_untouched_and_forwarding_is_put_back(lab: Lab) -> None:
    others = (
        "table ip other {\n chain c { type filter hook input priority 5; tcp dport 9 drop; }\n}\n"
    )
    lab.host.run(lambda: subprocess.run(["nft", "-f", "-"], input=others, text=True, check=True))
    before = lab.on_host("nft", "list", "ruleset")
    lab.do(lab.firewall().apply())
    assert "lambdad_" in lab.on_host("nft", "list", "ruleset")
    lab.do(lab.firewall().remove())
    assert lab.on_host("nft", "list", "ruleset") == before
    assert lab.forwards() == "0"
    assert list(lab.state_dir.iterdir()) == []


def test_a_restart_after_a_kill_takes_the_old_rules_over(lab: Lab) -> None:
    lab.do(lab.firewall(allow_private=(NEIGHBOUR,)).apply())
    lab.do(lab.firewall().apply())
    with pytest.raises(OSError):  # noqa: PT011
        lab.connect(lab.sandboxes[0], NEIGHBOUR)
    with pytest.raises(OSError):  # noqa: PT011
        lab.connect(lab.office, INTERNET)
    lab.do(lab.firewall().remove())
    assert lab.forwards() == "0"


def test_forwarding_stays_on_for_devices_that_came_later(lab: Lab) -> None:
    lab.do(lab.firewall().apply())
    lab.host.netlink.create_veth("docker0", "eth9", lab.office.fd)
    lab.do(lab.firewall().remove())
    assert lab.forwards() == "1"


def test_forwarding_that_was_on_stays_on_and_unguarded(lab: Lab) -> None:
    lab.host.run(lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
    lab.do(lab.firewall().apply())
    assert lab.connect(lab.office, INTERNET) == NEIGHBOUR
    lab.do(lab.firewall().remove())
    assert lab.forwards() == "1"


def test_removing_what_is_not_there_is_harmless(lab: Lab) -> None:
    lab.do(lab.firewall().remove())
    assert lab.on_host("nft", "list", "ruleset") == ""


def test_the_kernel_takes_every_form_of_opening(lab: Lab) -> None:
    openings = ("10.0.0.0/24", "10.1.0.0/24:443", "10.2.0.1", "10.3.0.1:53")
    text = ruleset(
        SandboxConfig(allow_private=openings), "abc", resolvers=["10.0.0.2"], guarded=["up0"]
    )
    lab.host.run(lambda: subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True))
