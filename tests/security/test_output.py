"""Standard output and the log pipe: floods and lies stay the problem of who makes them."""

from __future__ import annotations

import pytest

from lambdad.testing.firing_range import Range

GROWTH_KIB_MAX = 200 * 1024


def test_hundreds_of_megabytes_do_not_fill_the_daemon(target: Range) -> None:
    function = target.attacker(1024, 60)
    before = target.holdings().resident_kib
    with target.observed() as seen:
        assert target.result("speech.flood", function, unit="x", mebibytes=200) == 200
    assert seen.resident_kib - before < GROWTH_KIB_MAX
    assert max(seen.bystander_s) < 2


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "fd"), [("\n", 1), ("a\n", 3), ("\xff", 1), ("\xa5Z\0\3", 3)])
def test_floods_that_are_costly_to_read_hold_nobody_up(target: Range, unit: str, fd: int) -> None:
    """The function waits for the disk; others do not."""
    function = target.attacker(1769, 30)
    before = target.holdings().resident_kib
    with target.observed() as seen:
        target.result("speech.flood_for", function, unit=unit, seconds=2, fd=fd)
    assert seen.resident_kib - before < GROWTH_KIB_MAX
    assert max(seen.bystander_s) < 2


def test_frames_that_lie_are_taken_as_text(target: Range) -> None:
    target.result("speech.lies", fd=3, rounds=50)
    assert target.result("speech.pretend") == "said"


def test_lines_of_the_platform_can_be_imitated_but_not_suppressed(target: Range) -> None:
    """The log is the function's own; the true figures come from the daemon and stand last."""
    answer = target.attack("speech.pretend")
    last = answer.log.strip().splitlines()[-1]
    assert last.startswith("REPORT RequestId: ")
    assert "00000000-0000" not in last


def test_closed_output_harms_nobody(target: Range) -> None:
    function = target.attacker(256, 13)
    assert target.result("speech.close_all", function) == "closed"
    # The runtime may not outlive it; the environment does.
    target.attack("speech.pretend", function)
    assert target.result("hogs.processes", function)["1"] == "init"


def test_writer_that_stays_behind_is_frozen(target: Range) -> None:
    function = target.attacker(256, 14)
    assert target.result("speech.flood_in_background", function, unit="x\n") == "left"
    before = target.holdings().resident_kib
    with target.observed() as seen:
        for _ in range(50):
            target.bystander_s()
    assert seen.resident_kib - before < GROWTH_KIB_MAX
    assert target.attack("speech.pretend", function).payload == "said"


def test_own_log_pipe_shows_only_what_one_wrote(target: Range) -> None:
    found = target.result("speech.read_own_output")
    assert found in ("hello\n", "Resource temporarily unavailable", "Permission denied")
