"""Names, addresses and the text of the packet rules."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.config.sections import SandboxConfig
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.firewall import (
    CLOSED_NETWORKS,
    Opening,
    gateway_address,
    guest_address,
    host_resolvers,
    instance_of,
    interface_name,
    interface_prefix,
    ruleset,
)


@given(
    st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6), st.integers(0, 9999)
)
def test_device_names_fit_the_kernel_and_carry_their_prefix(instance: str, slot: int) -> None:
    name = interface_name(instance, slot)
    assert len(name) <= 15
    assert name.startswith(interface_prefix(instance))


def test_no_prefix_begins_another() -> None:
    assert not interface_name("abc", 0).startswith(interface_prefix("ab"))


@pytest.mark.parametrize("instance", ["", "toolong", "UPPER", "a-b", 'a"b'])
def test_odd_instance_names_are_refused(instance: str) -> None:
    with pytest.raises(ValueError, match="instance"):
        interface_prefix(instance)


@pytest.mark.parametrize("slot", [-1, 10_000])
def test_slots_out_of_range_are_refused(slot: int) -> None:
    with pytest.raises(ValueError, match="slot"):
        interface_name("abc", slot)


def test_a_directory_names_its_daemon_the_same_by_every_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert instance_of(tmp_path / "link") == instance_of(tmp_path)
    assert instance_of(tmp_path) != instance_of(tmp_path / "other")
    assert interface_prefix(instance_of(tmp_path))


@given(st.integers(0, 4095), st.integers(0, 4095))
def test_every_environment_has_an_address_of_its_own(one: int, other: int) -> None:
    subnet = "100.96.0.0/16"
    address = guest_address(subnet, one)
    assert IPv4Address(address) in IPv4Network(subnet)
    assert address != gateway_address(subnet)
    assert (address == guest_address(subnet, other)) == (one == other)


def test_a_subnet_that_is_too_small_says_what_to_change() -> None:
    assert guest_address("10.0.0.0/28", 12) == "10.0.0.14"
    with pytest.raises(HostUnfit, match="no address for environment 13") as raised:
        guest_address("10.0.0.0/28", 13)
    assert "sandbox.subnet" in raised.value.remedy


def test_a_malformed_subnet_is_named() -> None:
    with pytest.raises(HostUnfit, match=r"sandbox\.subnet is 'nonsense'"):
        ruleset(SandboxConfig(subnet="nonsense"), "abc")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("10.0.0.7", "ip daddr 10.0.0.7/32 accept"),
        ("10.0.0.0/24", "ip daddr 10.0.0.0/24 accept"),
        ("10.0.0.7:5432", "ip daddr 10.0.0.7/32 meta l4proto { tcp, udp } th dport 5432 accept"),
        ("10.0.0.0/24:53", "ip daddr 10.0.0.0/24 meta l4proto { tcp, udp } th dport 53 accept"),
    ],
)
def test_openings_are_networks_with_or_without_a_port(text: str, rule: str) -> None:
    assert Opening.parse(text).rule() == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "db.internal:5432",
        "10.0.0.1:",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1/24",
        "::1",
        "10.0.0.1 accept",
    ],
)
def test_what_is_no_destination_is_refused_by_name(text: str) -> None:
    with pytest.raises(HostUnfit, match="allow_private") as raised:
        Opening.parse(text)
    assert repr(text) in raised.value.cause


@given(st.ip_addresses(v=4))
def test_every_address_that_is_not_global_is_closed(address: IPv4Address) -> None:
    closed = any(address in IPv4Network(network) for network in CLOSED_NETWORKS)
    documentation = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
    if not address.is_global and not any(address in IPv4Network(net) for net in documentation):
        assert closed


def test_rules_speak_of_no_device_but_the_daemons_own() -> None:
    text = ruleset(SandboxConfig(), "abc")
    devices = [word for line in text.splitlines() for word in line.split() if '"' in word]
    assert devices
    assert set(devices) == {'"lmdabc-*"'}


def test_the_table_is_replaced_in_one_step() -> None:
    assert ruleset(SandboxConfig(), "abc").splitlines()[:3] == [
        "table inet lambdad_abc",
        "delete table inet lambdad_abc",
        "table inet lambdad_abc {",
    ]


def test_resolvers_on_the_hosts_loopback_are_left_out(tmp_path: Path) -> None:
    stub, real = tmp_path / "resolv.conf", tmp_path / "real.conf"
    stub.write_text("nameserver 127.0.0.53\nsearch example\nnameserver\n")
    real.write_text(
        "# nameserver 9.9.9.9\nnameserver 10.0.0.2\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\n"
    )
    assert host_resolvers([stub, tmp_path / "missing", real]) == ("10.0.0.2",)
