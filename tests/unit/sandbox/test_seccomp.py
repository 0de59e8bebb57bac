"""What the filter answers, found by running its instructions for both machines."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.seccomp import filter_program, forbidden_calls
from lambdad.sandbox.syscall_numbers import MACHINES, syscall_numbers

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MISSING = 5_000


def fail(number: int) -> int:
    return 0x50000 | number


def run(machine: str, number: int, *arguments: int, arch: int | None = None) -> tuple[int, int]:
    """Interpret the filter; return (action, instructions executed)."""
    words = [*arguments, *[0] * (6 - len(arguments))]
    arch = ARCH[machine] if arch is None else arch
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *(word % 2**64 for word in words))
    program = list(struct.iter_unpack("<HBBI", filter_program(machine)))
    accumulator = position = steps = 0
    while True:
        code, jt, jf, k = program[position]
        position += 1
        steps += 1
        if code == 0x06:
            return k, steps
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif code == 0x05:
            position += k
        else:
            hit = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: accumulator & k != 0}
            position += jt if hit[code] else jf


def answer(machine: str, name: str, *arguments: int) -> int:
    return run(machine, syscall_numbers(machine)[name], *arguments)[0]


machines = pytest.mark.parametrize("machine", MACHINES)


@machines
def test_programs_fit_the_kernel_and_answer_in_a_few_steps(machine: str) -> None:
    program = filter_program(machine)
    assert len(program) % 8 == 0
    assert len(program) // 8 <= 4096
    steps = max(run(machine, number)[1] for number in range(600))
    assert steps <= 22
    assert run(machine, syscall_numbers(machine)["read"])[1] <= 14


@machines
@given(number=st.integers(0, 2**32 - 1), arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_every_number_with_any_arguments_has_an_answer(
    machine: str, number: int, arguments: list[int]
) -> None:
    action, _ = run(machine, number, *arguments)
    assert action in {ALLOW, *map(fail, FAILURES)}


FAILURES = (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


@machines
def test_another_architectures_calls_kill(machine: str) -> None:
    others = {0x40000003, *ARCH.values()} - {ARCH[machine]}
    assert {run(machine, 0, arch=arch)[0] for arch in others} == {KILL}


@machines
def test_calls_nobody_knows_are_said_to_be_missing(machine: str) -> None:
    assert run(machine, MISSING)[0] == fail(errno.ENOSYS)
    assert run(machine, -1)[0] == fail(errno.ENOSYS)


def test_the_second_table_of_x86_64_is_said_to_be_missing() -> None:
    numbers = syscall_numbers("x86_64").values()
    assert {run("x86_64", 0x40000000 + number)[0] for number in numbers} == {fail(errno.ENOSYS)}


@machines
def test_forbidden_calls_answer_eperm(machine: str) -> None:
    names = forbidden_calls() & syscall_numbers(machine).keys()
    assert len(names) > 40
    assert {answer(machine, name) for name in names} == {fail(errno.EPERM)}


@machines
@pytest.mark.parametrize(
    "name",
    [
        "read",
        "execve",
        "mmap",
        "futex",
        "openat",
        "prctl",
        "prlimit64",
        "getrandom",
        "exit_group",
        "mseal",
    ],
)
def test_what_programs_live_on_is_allowed(machine: str, name: str) -> None:
    assert answer(machine, name) == ALLOW


@machines
def test_new_threads_and_processes_but_no_namespaces(machine: str) -> None:
    threads = 0x3D0F00
    assert answer(machine, "clone", threads) == ALLOW
    assert answer(machine, "clone", 17) == ALLOW
    for namespace in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, "clone", namespace | 17) == fail(errno.EPERM)
    assert answer(machine, "clone3", 0) == fail(errno.ENOSYS)


@machines
@pytest.mark.parametrize("call", ["socket", "socketpair"])
def test_socket_families(machine: str, call: str) -> None:
    stream = socket.SOCK_STREAM
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        assert answer(machine, call, family, stream, 0) == ALLOW
    allowed = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    for family in set(range(64)) - allowed:
        assert answer(machine, call, family, stream, 0) == fail(errno.EAFNOSUPPORT)


@machines
def test_socket_protocols(machine: str) -> None:
    for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMP, 262):
        assert answer(machine, "socket", socket.AF_INET, 1, protocol) == ALLOW
    for protocol in (33, 132, 136, 255):  # DCCP, SCTP, UDP-Lite, raw
        assert answer(machine, "socket", socket.AF_INET6, 1, protocol) == fail(
            errno.EPROTONOSUPPORT
        )
    for protocol in range(1, 23):
        assert answer(machine, "socket", socket.AF_NETLINK, 3, protocol) == fail(
            errno.EPROTONOSUPPORT
        )


@machines
def test_high_halves_of_arguments_hide_nothing(machine: str) -> None:
    high = 1 << 32
    assert answer(machine, "socket", high | 17, 3, 0) == fail(errno.EAFNOSUPPORT)
    assert answer(machine, "ioctl", 0, high | 0x5412) == fail(errno.EPERM)
    assert answer(machine, "clone", high | 0x10000000) == fail(errno.EPERM)


@machines
def test_terminals_and_personalities(machine: str) -> None:
    assert answer(machine, "ioctl", 0, 0x5401) == ALLOW
    assert answer(machine, "ioctl", 0, 0x5412) == fail(errno.EPERM)
    assert answer(machine, "ioctl", 0, 0x541C) == fail(errno.EPERM)
    assert answer(machine, "personality", 0xFFFFFFFF) == ALLOW
    assert answer(machine, "personality", 0) == ALLOW
    assert answer(machine, "personality", 0x0400000) == fail(errno.EPERM)  # READ_IMPLIES_EXEC


def test_an_unknown_machine_is_refused_with_a_remedy() -> None:
    with pytest.raises(HostUnfit, match="riscv64") as raised:
        filter_program("riscv64")
    assert "aarch64" in raised.value.remedy
