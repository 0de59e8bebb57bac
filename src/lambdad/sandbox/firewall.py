"""What sandboxes may reach: names, addresses and packet rules of their network devices.

All devices of one daemon share a prefix, and one nftables table named after the daemon speaks of
that prefix only: rules of the operator and of container engines are neither read nor changed.
(If such a rule drops forwarded packets, it wins: nftables asks every table.)

The rules, for packets that come from a sandbox:

* to the host itself, to other sandboxes: refused;
* to private, shared, link-local (metadata services), loopback, multicast and reserved
  addresses: refused, unless `allow_private` names them or they ask a known resolver;
* to port 25 of anybody: refused, as on AWS;
* IPv6 in any form, or a source address that is not the sandbox's: dropped;
* anything else passes with the host's address as its source.

Nobody can open a connection *to* a sandbox.

How a device is made is not known here (see `lambdad.sandbox.netlink`), nor that packets only
pass while the kernel forwards (see `lambdad.sandbox.forwarding`).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lambdad.config.sections import SandboxConfig
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.forwarding import Forwarding

# Where no function may go uninvited: RFC 6890 without the documentation networks, which are
# never routed anyway.
CLOSED_NETWORKS = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)

_INSTANCE = re.compile(r"[0-9a-z]{1,6}")
_NFT_PLACES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
# One sandbox's slot is 0 to 9999, so that prefix and slot fit the kernel's 15 characters.
_SLOTS = 10_000
# The subnet's first addresses are its own and the gateway's.
_FIRST_GUEST = 2


def instance_of(state_dir: Path) -> str:
    """Return the name of the daemon that owns a directory: 6 hexadecimal digits.

    The same directory always gives the same name, so that a daemon finds what a killed
    predecessor has left.
    """
    return hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:6]


def interface_prefix(instance: str) -> str:
    """Return what the names of all host devices of one daemon begin with.

    Raises:
        ValueError: `instance` is not 1 to 6 characters of `[0-9a-z]`.
    """
    if not _INSTANCE.fullmatch(instance):
        raise ValueError(f"not an instance name: {instance!r}")
    return f"lmd{instance}-"


def interface_name(instance: str, slot: int) -> str:
    """Return the name of the host's end of a sandbox's wire, at most 15 characters.

    Raises:
        ValueError: `slot` is not in 0..9999.
    """
    if not 0 <= slot < _SLOTS:
        raise ValueError(f"not a slot: {slot}")
    return f"{interface_prefix(instance)}{slot}"


def gateway_address(subnet: str) -> str:
    """Return the address at the host's end of every sandbox's wire."""
    return str(_network(subnet)[1])


def guest_address(subnet: str, slot: int) -> str:
    """Return the address of a sandbox.

    Raises:
        HostUnfit: the subnet is malformed or too small.
    """
    network = _network(subnet)
    if not 0 <= slot < network.num_addresses - _FIRST_GUEST - 1:
        raise HostUnfit(
            f"The subnet {subnet} has no address for environment {slot}.",
            "Set sandbox.subnet to a larger network, or sandbox.max_environments to less.",
        )
    return str(network[_FIRST_GUEST + slot])


def host_resolvers(files: Iterable[Path] = _RESOLVER_FILES) -> tuple[str, ...]:
    """Return the IPv4 name servers of the host that are reachable from elsewhere.

    A stub on the host's loopback is left out; the file behind systemd's stub is read too.
    """
    found: dict[str, None] = {}
    for file in files:
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError:
            continue
        words = [line.split() for line in lines]
        for server in (line[1] for line in words if len(line) > 1 and line[0] == "nameserver"):
            if _is_ipv4(server) and not IPv4Address(server).is_loopback:
                found[server] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Opening:
    """A destination in a closed range that functions may reach.

    Attributes:
        port: of TCP and UDP; None means all of both, and ICMP.
    """

    network: IPv4Network
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Opening:
        """Read `10.0.0.7:5432`, `10.0.0.0/24:5432`, `10.0.0.7` or `10.0.0.0/24`.

        Raises:
            HostUnfit: it is none of these.
        """
        address, colon, port = text.partition(":")
        try:
            number = int(port) if colon else None
            if number is not None and not 1 <= number <= 0xFFFF:
                raise ValueError(port)
            return cls(IPv4Network(address), number)
        except ValueError:
            raise HostUnfit(
                f"sandbox.allow_private holds {text!r}, which is no destination.",
                "Write network or network:port, for example 10.0.0.0/24 or 10.0.0.7:5432.",
            ) from None

    def rule(self) -> str:
        """Return the rule that lets packets through."""
        if self.port is None:
            return f"ip daddr {self.network} accept"
        return f"ip daddr {self.network} meta l4proto {{ tcp, udp }} th dport {self.port} accept"


def ruleset(
    config: SandboxConfig,
    instance: str,
    *,
    resolvers: Sequence[str] = (),
    guarded: Sequence[str] = (),
) -> str:
    """Write the table of one daemon, replacing the one that may be there.

    Args:
        config: subnet and openings.
        instance: the daemon, see :func:`instance_of`.
        resolvers: name servers that functions may ask, whatever range they are in.
        guarded: devices for whose neighbours this host is no router.

    Raises:
        HostUnfit: the subnet or an opening is malformed.
    """
    ours = f'"{interface_prefix(instance)}*"'
    subnet = _network(config.subnet)
    openings = [Opening.parse(text) for text in config.allow_private]
    openings += [Opening(IPv4Network(address), 53) for address in resolvers]
    table = f"inet lambdad_{instance}"
    lines = [
        f"table {table}",
        f"delete table {table}",
        f"table {table} {{",
        *_chain("openings", (opening.rule() for opening in openings)),
        *_chain("from_sandbox", _source_rules(ours, subnet)),
        *_chain("input", (f"iifname {ours} jump host_only",), hook="filter hook input"),
        *_chain("host_only", _host_rules(subnet)),
        *_chain("forward", _forward_rules(ours, guarded), hook="filter hook forward"),
        *_chain(
            "postrouting",
            (f"ip saddr {subnet} oifname != {ours} masquerade",),
            hook="nat hook postrouting",
        ),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _chain(name: str, rules: Iterable[str], hook: str = "") -> list[str]:
    priority = "srcnat" if hook.startswith("nat") else "filter"
    head = [f"    type {hook} priority {priority}; policy accept;"] if hook else []
    return [f"  chain {name} {{", *head, *(f"    {rule}" for rule in rules), "  }"]


_REFUSE = "reject with icmpx type admin-prohibited"


def _source_rules(ours: str, subnet: IPv4Network) -> list[str]:
    closed = ", ".join(CLOSED_NETWORKS)
    return [
        f"oifname {ours} {_REFUSE}",
        "meta nfproto ipv6 drop",
        f"ip saddr != {subnet} drop",
        "jump openings",
        f"tcp dport 25 {_REFUSE}",
        f"ip daddr {{ {closed} }} {_REFUSE}",
        "accept",
    ]


def _host_rules(subnet: IPv4Network) -> list[str]:
    return [
        "meta nfproto ipv6 drop",
        f"ip saddr != {subnet} drop",
        "ct state established,related accept",
        f"ip daddr {subnet} {_REFUSE}",
        "jump openings",
        _REFUSE,
    ]


def _forward_rules(ours: str, guarded: Sequence[str]) -> list[str]:
    rules = [
        f"iifname {ours} jump from_sandbox",
        f"oifname {ours} ct state established,related accept",
        f"oifname {ours} drop",
    ]
    if guarded:
        names = ", ".join(f'"{name}"' for name in guarded)
        rules.append(f"iifname {{ {names} }} ct state new ct status & dnat == 0 drop")
    return rules


class Firewall:
    """The packet rules of one daemon, in the network namespace of the process.

    Args:
        config: what functions may reach.
        state_dir: the daemon's directory; keeps what forwarding was before.
        resolvers: name servers that functions may ask.
    """

    def __init__(
        self, config: SandboxConfig, state_dir: Path, resolvers: Sequence[str] = ()
    ) -> None:
        self._config = config
        self._instance = instance_of(state_dir)
        self._forwarding = Forwarding(state_dir, interface_prefix(self._instance))
        self._resolvers = tuple(resolvers)

    async def apply(self) -> None:
        """Put the rules in force, in one step, and let the kernel forward.

        Raises:
            HostUnfit: there is no nftables, or the host refuses; nothing has changed then.
        """
        try:
            guarded = self._forwarding.devices_to_guard()
            text = ruleset(self._config, self._instance, resolvers=self._resolvers, guarded=guarded)
            await _nft(text)
            self._forwarding.switch_on(guarded)
        except OSError as error:
            await self.remove()
            raise HostUnfit(
                f"Packets of functions cannot be forwarded: {error}.",
                "Set net.ipv4.ip_forward to 1, or sandbox.egress to false.",
            ) from error

    async def remove(self) -> None:
        """Take the rules away and put forwarding back; harmless when there are none.

        Raises:
            HostUnfit: the host refuses.
        """
        table = f"inet lambdad_{self._instance}"
        # Naming the table makes it if need be; so it can be deleted without a look.
        await _nft(f"table {table}\ndelete table {table}\n")
        try:
            self._forwarding.put_back()
        except OSError as error:
            raise HostUnfit(
                f"Forwarding of packets stays on: {error}.",
                "Set net.ipv4.ip_forward to 0 if nothing else needs it.",
            ) from error


async def _nft(script: str) -> None:
    binary = shutil.which("nft", path=_NFT_PLACES)
    if binary is None:
        raise HostUnfit(
            "Functions cannot reach the network: the program nft is missing.",
            "Install the package nftables, or set sandbox.egress to false.",
        )
    # Some milliseconds, in a thread because a child's network namespace is its parent thread's.
    done = await asyncio.to_thread(
        subprocess.run,
        [binary, "-f", "-"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().partition("\n")[0] or f"exit status {done.returncode}"
        raise HostUnfit(
            f"The packet rules for functions were refused: {reason}.",
            "Run lambdad as root on a kernel with nftables, or set sandbox.egress to false.",
        )


def _network(subnet: str) -> IPv4Network:
    try:
        return IPv4Network(subnet)
    except ValueError:
        raise HostUnfit(
            f"sandbox.subnet is {subnet!r}, which is no IPv4 network.",
            "Write it as 100.96.0.0/16.",
        ) from None


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
