"""The network: public addresses and the daemon's endpoint, nothing else."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator

import pytest

from lambdad.testing.firing_range import Origin, Range

DEVICE = "lmdtest-sec"
PRIVATE = "10.234.77.1"
REFUSED = {"ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EACCES", "ETIMEDOUT"}


@pytest.fixture(scope="module")
def services() -> Iterator[list[int]]:
    """TCP servers on every address of the host, one of them private and on a device of ours."""
    peer = ["type", "veth", "peer", "name", f"{DEVICE}1"]
    subprocess.run(["ip", "link", "add", DEVICE, *peer], check=True)
    subprocess.run(["ip", "address", "add", f"{PRIVATE}/32", "dev", DEVICE], check=True)
    try:
        subprocess.run(["ip", "link", "set", DEVICE, "up"], check=True)
        with contextlib.ExitStack() as stack:
            servers = [
                stack.enter_context(socket.create_server((address, 0)))
                for address in ("127.0.0.1", "0.0.0.0")  # noqa: S104 - it is the bait
            ]
            yield [server.getsockname()[1] for server in servers]
    finally:
        subprocess.run(["ip", "link", "delete", DEVICE], check=True)


def host_addresses() -> list[str]:
    shown = subprocess.run(
        ["ip", "-4", "-o", "address", "show", "scope", "global"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sorted({line.split()[3].split("/")[0] for line in shown.splitlines()})


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_services_of_the_host_are_out_of_reach(target: Range, services: list[int]) -> None:
    loopback, everywhere = services
    with socket.create_connection((PRIVATE, everywhere), timeout=2):
        pass
    own_port = int(target.daemon.endpoint_url.rpartition(":")[2])
    addresses = [f"127.0.0.1:{loopback}", f"127.0.0.1:{everywhere}", f"0.0.0.0:{everywhere}"]
    for address in host_addresses():
        addresses += [f"{address}:{everywhere}", f"{address}:{own_port}"]
    assert f"{PRIVATE}:{everywhere}" in addresses
    found = target.result("reach.connect", addresses=addresses)
    inside = target.result("reach.environment")["AWS_ENDPOINT_URL"].removeprefix("http://")
    found.pop(inside, None)
    assert set(found.values()) <= REFUSED, found


def test_private_networks_and_metadata_services_are_refused(target: Range) -> None:
    places = ["169.254.169.254:80", "10.0.0.1:22", "172.16.0.1:80", "192.168.0.1:80"]
    places += ["100.64.0.1:80", "224.0.0.1:80", "198.18.0.1:80", "192.0.2.1:25"]
    found = target.result("reach.connect", addresses=places)
    assert set(found.values()) <= REFUSED, found
    for address in ("fe80::1:80", "fd00::1:80", "2001:db8::1:80"):
        found = target.result("reach.connect", addresses=[address])
        assert set(found.values()) <= REFUSED | {"EINVAL", "EADDRNOTAVAIL"}, found


@pytest.mark.parametrize("target", [Origin.MADE, Origin.ASSIGNED], indirect=True)
def test_sandboxes_do_not_reach_each_other(target: Range) -> None:
    other = target.attacker(name="other")
    address = target.result("reach.listen", other, port=8099)
    assert target.result("files.abstract", other, name="meet", listen=True) == "ok"
    places = [f"{address}:8099", f"{address}:9001"]
    with_other_awake = target.result("reach.connect", addresses=places)
    assert set(with_other_awake.values()) <= REFUSED
    assert target.result("files.abstract", name="meet", listen=False) == "ECONNREFUSED"
    assert target.result("reach.own_address") != address


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_sandbox_has_no_device_but_its_own(target: Range) -> None:
    assert set(target.result("reach.devices")) <= {"eth0", "lo"}


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_daemon_is_reached_by_its_endpoint_inside(target: Range) -> None:
    function = target.attacker(512, 20)
    found = target.result("reach.own_calls", function)
    assert found == {"bystander": True, "answer": 41, "account": "000000000000"}
