"""Memory, descriptors and processor time: nobody takes more than they pay for."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.testing.firing_range import Origin, Range

TIMEOUT_S = 3
PATIENCE_S = 60


def available_mb() -> int:
    """What the host can still give."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    raise AssertionError


@pytest.mark.parametrize(
    ("target", "what"),
    [
        *((Origin.MADE, what) for what in ("plain", "memfd", "shared", "sysv")),
        (Origin.ASSIGNED, "plain"),
        (Origin.RESTORED, "plain"),
    ],
    indirect=["target"],
)
def test_memory_ends_at_its_limit(target: Range, what: str) -> None:
    # On a busy machine it takes its time to come to the limit.
    function = target.attacker(256, PATIENCE_S)
    answer = target.attack(f"hogs.memory_{what}", function)
    assert answer.payload["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert "Max Memory Used: 256 MB" in answer.log
    assert "Runtime.OutOfMemory" in answer.log
    assert target.result("hogs.processes", function)["1"] == "init"


@pytest.mark.parametrize("what", ["many_processes", "pipes"])
def test_memory_of_many_processes_counts_together(target: Range, what: str) -> None:
    function = target.attacker(256, TIMEOUT_S)
    before = available_mb()
    with target.observed() as seen:
        answer = target.attack(f"hogs.memory_{what}", function)
    assert answer.payload["errorType"] in ("Sandbox.Timedout", "Runtime.ExitError")
    assert max(seen.bystander_s) < 2
    target.settle()
    assert available_mb() > before - 400


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tcp", "udp", "unix"])
def test_socket_buffers_do_not_escape_the_limit(target: Range, kind: str) -> None:
    """On cgroup v1 they count by themselves, a quarter of the memory."""
    function = target.attacker(256, 5)
    answer = target.attack("hogs.socket_buffers", function, kind=kind, hold_s=2)
    if answer.error is None:
        pages = answer.payload["pages"]
        assert pages * 4 // 1024 < 200
    else:
        assert answer.payload["errorType"] in ("Sandbox.Timedout", "Runtime.ExitError")


def test_arguments_of_programs_count_as_memory(target: Range) -> None:
    found = target.result("hogs.huge_arguments", target.attacker(256, 20), most=60)
    assert found["longest"] == "Argument list too long"


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_descriptors_end_at_the_limit(target: Range) -> None:
    found = target.result("hogs.descriptors")
    assert found["why"] == "Too many open files"
    assert 1000 < found["opened"] < 1024


@pytest.mark.parametrize("target", [Origin.MADE, Origin.RESTORED], indirect=True)
def test_processor_time_is_a_share(target: Range) -> None:
    """128 MB of 1,769 MB are 0.07 of a processor, however hard it spins."""
    function = target.attacker(128, 19)
    target.result("hogs.processes", function)
    share = target.result("hogs.spin", function, seconds=2)
    assert 0.02 < share < 0.12
