"""The host is asked for its memory when that matters, and what was admitted counts meanwhile."""

from __future__ import annotations

from lambdad.dataplane.host_room import HostRoom
from lambdad.testing.clock import FakeClock

MIB = 1024 * 1024


class Host:
    """Counts how often it was asked."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.asked = 0

    def available(self) -> int:
        self.asked += 1
        return self.left


def test_far_from_the_edge_a_figure_serves_for_two_seconds() -> None:
    host, clock = Host(8192 * MIB), FakeClock()
    room = HostRoom(host.available, clock)
    assert [room.left(128 * MIB) for _ in range(3)] == [8192 * MIB] * 3
    assert host.asked == 1
    clock.advance(2.1)
    host.left = 4096 * MIB
    assert room.left(128 * MIB) == 4096 * MIB


def test_near_the_edge_the_host_is_asked_each_time() -> None:
    host = Host(600 * MIB)
    room = HostRoom(host.available, FakeClock())
    room.left(128 * MIB)
    host.left = 100 * MIB
    assert room.left(128 * MIB) == 100 * MIB


def test_a_burst_is_counted_before_the_host_feels_it() -> None:
    host = Host(2048 * MIB)
    room = HostRoom(host.available, FakeClock())
    for _ in range(8):
        assert room.left(128 * MIB) > 0
        room.admitted(128 * MIB)
    # Now 128 MiB are an eighth of what would be left: from here on it is asked.
    asked = host.asked
    room.admitted(MIB)
    room.left(128 * MIB)
    assert host.asked == asked + 1
