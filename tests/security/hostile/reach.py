"""Tries to get to places on the network."""

# ruff: noqa: PTH123, S104, PLC0415

import os
import socket
import time

from tries import outcome


def connect(addresses, seconds=1.0):
    """Map each `host:port` to what a TCP connection gives."""
    return {address: outcome(_connect, address, seconds) for address in addresses}


def _connect(address, seconds):
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=seconds).close()


def datagrams(addresses):
    """Send to each `host:port`; only the sender's view."""
    found = {}
    for address in addresses:
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as it:
            it.settimeout(0.5)

            def ask(it=it, host=host, port=port):
                it.connect((host, int(port)))
                it.send(b"knock")
                it.recv(1)

            found[address] = outcome(ask)
    return found


def listen(port):
    """Be reachable for whoever can; say by which addresses."""
    it = socket.create_server(("0.0.0.0", port))
    _KEPT.append(it)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


_KEPT = []


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


def forge_source(target):
    """Send from an address that is not the sandbox's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        return outcome(it.bind, ("192.0.2.7", 0))


def devices():
    return sorted(name for _, name in socket.if_nameindex())


def own_calls():
    """Use the daemon from inside, as a function may."""
    import boto3

    client = boto3.client("lambda")
    names = [it["FunctionName"] for it in client.list_functions()["Functions"]]
    answer = client.invoke(FunctionName="bystander", Payload=b"41")
    return {
        "bystander": "bystander" in names,
        "answer": int(answer["Payload"].read()),
        "account": boto3.client("sts").get_caller_identity()["Account"],
    }


def environment():
    return dict(os.environ)


def age_s():
    """Seconds since this process was started."""
    with open("/proc/self/stat") as file:
        begun = int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun
