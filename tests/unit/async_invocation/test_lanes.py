"""Whose turn it is."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambdad.async_invocation.lanes import WINDOW_FIRST, Lanes

MANY = 10**6


def run(lanes: Lanes, now_ms: int, *, left: int | None = 0) -> dict[str, int]:
    """Take what may be taken, as if every lane had enough, with more of it due at `left`."""
    taken = lanes.take(now_ms)
    for name, count in taken.items():
        lanes.claimed(name, count, left, now_ms)
    return taken


def test_a_lane_is_taken_from_when_it_is_due_and_not_before() -> None:
    lanes = Lanes(100)
    lanes.note("a", 5)
    assert (lanes.take(4), lanes.next_ms()) == ({}, 5)
    assert run(lanes, 5, left=None) == {"a": WINDOW_FIRST}
    assert lanes.next_ms() is None


def test_a_window_opens_with_every_event_that_is_carried_out() -> None:
    lanes = Lanes(100)
    lanes.note("a", 0)
    assert run(lanes, 0) == {"a": WINDOW_FIRST}
    assert lanes.take(0) == {}
    for _ in range(WINDOW_FIRST):
        lanes.carried_out("a", 0)
    assert run(lanes, 0) == {"a": 2 * WINDOW_FIRST}


def test_a_refused_lane_keeps_to_what_runs_and_goes_on_when_that_ends() -> None:
    lanes = Lanes(100)
    lanes.note("a", 0)
    run(lanes, 0)
    for _ in range(WINDOW_FIRST - 2):
        lanes.refused("a", 0)
    assert run(lanes, 0) == {}, "two run: there is no room for more"
    lanes.carried_out("a", 1)
    assert run(lanes, 1) == {"a": 1}, "one has ended, one follows: no time is lost"
    assert lanes.next_ms() is None


def test_a_lane_that_is_refused_with_nothing_running_waits_longer_each_time() -> None:
    lanes = Lanes(100)
    lanes.note("a", 0)
    now_ms, waits = 0, []
    for _ in range(4):
        for _ in range(run(lanes, now_ms)["a"]):
            lanes.refused("a", now_ms)
        due = lanes.next_ms()
        assert due is not None
        waits.append(due - now_ms)
        now_ms = due
    assert waits == [1_000, 2_000, 4_000, 8_000]
    run(lanes, now_ms)
    lanes.carried_out("a", now_ms)
    assert lanes.next_ms() == now_ms, "what was carried out ends the waiting"


def test_a_lane_that_was_refused_beside_running_events_goes_on_when_they_have_ended() -> None:
    """Functions may end faster than what becomes of them is stored."""
    lanes = Lanes(100)
    lanes.note("a", 0)
    run(lanes, 0)
    for _ in range(4):
        lanes.refused("a", 0)
    for _ in range(4):
        lanes.carried_out("a", 1)
    assert run(lanes, 1) == {"a": 4}, "it worked, so nothing keeps it from working on"


def test_a_refused_lane_does_not_delay_another() -> None:
    lanes = Lanes(100)
    lanes.note("a", 0)
    lanes.note("b", 0)
    run(lanes, 0)
    for _ in range(WINDOW_FIRST):
        lanes.refused("a", 0)
        lanes.carried_out("b", 0)
    assert run(lanes, 1) == {"b": 2 * WINDOW_FIRST}


def test_no_lane_takes_the_last_place_of_all() -> None:
    lanes = Lanes(16)
    lanes.note("greedy", 0)
    run(lanes, 0)
    lanes.note("late", 0)
    assert run(lanes, 0)["late"] >= 1


def test_whoever_waits_longest_comes_first_when_there_is_one_place() -> None:
    lanes = Lanes(1)
    lanes.note("a", 0)
    lanes.note("b", 1)
    served = []
    for now_ms in range(10, 16):
        [(name, _)] = run(lanes, now_ms).items()
        served.append(name)
        lanes.carried_out(name, now_ms)
    assert served == ["a", "b", "a", "b", "a", "b"]


def test_an_empty_lane_is_forgotten() -> None:
    lanes = Lanes(10)
    lanes.note("a", 0)
    run(lanes, 0, left=None)
    for _ in range(5):
        lanes.carried_out("a", 0)
    assert len(lanes) == 0


def test_an_event_that_comes_during_a_claim_is_not_overlooked() -> None:
    lanes = Lanes(10)
    lanes.note("a", 0)
    [(name, _)] = lanes.take(0).items()
    lanes.note("a", 0)
    lanes.claimed(name, 1, None, 0)
    assert lanes.next_ms() == 0


class LanesMachine(RuleBasedStateMachine):
    """However events come, end and are refused: capacity holds, and no lane is left behind."""

    CAPACITY = 20

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes(self.CAPACITY)
        self.waiting: dict[str, int] = {}
        self.running: dict[str, int] = {}
        self.now_ms = 0

    @rule(name=st.sampled_from("abc"), count=st.integers(1, 30))
    def accept(self, name: str, count: int) -> None:
        self.waiting[name] = self.waiting.get(name, 0) + count
        self.lanes.note(name, self.now_ms)

    @rule()
    def fill(self) -> None:
        for name, slots in self.lanes.take(self.now_ms).items():
            count = min(slots, self.waiting.get(name, 0))
            self.waiting[name] = self.waiting.get(name, 0) - count
            self.running[name] = self.running.get(name, 0) + count
            due = self.now_ms if self.waiting[name] else None
            self.lanes.claimed(name, count, due, self.now_ms)

    @precondition(lambda self: any(self.running.values()))
    @rule(data=st.data(), refused=st.booleans())
    def end(self, data: st.DataObject, refused: bool) -> None:
        name = data.draw(st.sampled_from([n for n, c in self.running.items() if c]))
        self.running[name] -= 1
        if refused:
            self.waiting[name] += 1
            self.lanes.refused(name, self.now_ms)
            self.lanes.note(name, self.now_ms + 1_000)
        else:
            self.lanes.carried_out(name, self.now_ms)

    @rule(passed_ms=st.integers(0, 400_000))
    def pass_time(self, passed_ms: int) -> None:
        self.now_ms += passed_ms

    @invariant()
    def capacity_holds(self) -> None:
        assert self.lanes.running == sum(self.running.values()) <= self.CAPACITY

    @invariant()
    def what_waits_with_nothing_running_will_be_looked_at(self) -> None:
        """Otherwise the loop would sleep for ever."""
        if any(self.waiting.values()) and not any(self.running.values()):
            assert self.lanes.next_ms() is not None


TestLanesMachine = LanesMachine.TestCase
TestLanesMachine.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
