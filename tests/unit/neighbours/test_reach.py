"""Which addresses topics may send to."""

from __future__ import annotations

import pytest

from lambdad.neighbours.reach import NotReached, Reach

OWN = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"]  # noqa: S104
NEVER = ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1%lo", "224.0.0.1"]


@pytest.mark.parametrize("ip", [*OWN, *NEVER])
def test_this_host_and_link_local_addresses_are_refused(ip: str) -> None:
    with pytest.raises(NotReached, match="is not sent to"):
        Reach(own_port=4566, local=False).check(ip, 80)


@pytest.mark.parametrize("ip", NEVER)
def test_link_local_addresses_are_refused_whatever_is_set(ip: str) -> None:
    with pytest.raises(NotReached, match="host's own business"):
        Reach(own_port=4566, local=True).check(ip, 80)


@pytest.mark.parametrize("ip", OWN)
def test_a_setting_opens_this_host(ip: str) -> None:
    Reach(own_port=4566, local=True).check(ip, 80)


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_lambdads_own_port_is_open(ip: str) -> None:
    Reach(own_port=4566, local=False).check(ip, 4566)


@pytest.mark.parametrize("ip", ["93.184.216.34", "192.0.2.7", "2001:db8::1"])
def test_other_hosts_are_reached(ip: str) -> None:
    Reach(own_port=4566, local=False).check(ip, 80)
