"""Processes: what can be seen and signalled, and what stays when it should not."""

from __future__ import annotations

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.firing_range import Origin, Range

FOREVER_S = 2
COUNTED = 50


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_only_own_processes_are_visible_and_can_be_signalled(target: Range) -> None:
    seen = target.result("hogs.processes")
    assert seen.pop("1") == "init"
    assert len(seen) == 1, seen
    hosts = [target.daemon.pid, 2_000_000]
    found = target.result("calls.signal_pids", pids=hosts)
    assert set(found.values()) == {"ESRCH"}
    assert target.daemon.running


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_killing_everything_reaches_nobody_else(target: Range) -> None:
    assert target.result("hogs.kill_everything_else") == 9
    other = target.attacker(name="other")
    answer = target.attack("hogs.end", other, how="child kills all")
    assert answer.payload["errorMessage"].endswith("signal: killed")
    # The same environment, made anew.
    assert target.result("hogs.processes", other)["1"] == "init"


@pytest.mark.parametrize(
    ("target", "ignore"),
    [(Origin.MADE, False), (Origin.MADE, True), (Origin.RESTORED, True)],
    indirect=["target"],
)
def test_fork_bomb_ends_with_its_timeout(target: Range, *, ignore: bool) -> None:
    function = target.attacker(256, FOREVER_S)
    with target.observed() as seen:
        answer = target.attack("hogs.fork_bomb", function, ignore=ignore)
    assert answer.payload["errorType"] in ("Sandbox.Timedout", "Runtime.ExitError")
    assert max(seen.bystander_s) < 2
    target.settle()
    assert len(target.result("hogs.processes", function)) == 2
    # PID 1 and the runtime process of each idle environment, and nothing else.
    assert target.no_other_processes()


def test_processes_end_at_the_limit(target: Range) -> None:
    found = target.result("hogs.count_processes", target.attacker(1024, 20))
    assert found["why"] == "Resource temporarily unavailable"
    assert 900 < found["processes"] < 1024


@pytest.mark.slow
def test_a_thousand_spinning_processes_are_gone_after_the_timeout(target: Range) -> None:
    function = target.attacker(128, FOREVER_S)
    with target.observed() as seen:
        answer = target.attack("hogs.spinners", function)
        target.settle()
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert max(seen.bystander_s) < 2
    assert target.no_other_processes()


def test_function_that_ignores_signals_is_gone_after_its_timeout(target: Range) -> None:
    function = target.attacker(128, 1)
    answer = target.attack("hogs.never_return", function)
    assert answer.payload["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert len(target.result("hogs.processes", function)) == 2


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_daemons_of_a_function_stand_still_between_invocations(target: Range) -> None:
    """A double fork in a session of its own is frozen like everything else."""
    function = target.attacker(512, 19)
    path = "/tmp/count"  # noqa: S108 - the guest's
    target.result("hogs.daemonise", function, path=path)
    for _ in asking():
        target.result("hogs.spin", function, seconds=0.1)
        first = target.result("hogs.daemonise", function, path=path)
        # On a busy machine that takes more than one turn.
        if first["count"] > COUNTED:
            break
    for _ in range(200):
        target.bystander_s()
    second = target.result("hogs.daemonise", function, path=path)
    assert COUNTED < first["count"] <= second["count"]
    assert second["processes"] == first["processes"]
    assert len(second["processes"]) >= 3
    # Two hundred calls of somebody else in between: less progress than while it ran.
    assert second["count"] - first["count"] < first["count"]


def test_threads_stand_still_between_invocations(target: Range) -> None:
    function = target.attacker(512, 18)
    first = target.result("hogs.background_thread", function, path="x")
    for _ in range(200):
        target.bystander_s()
    second = target.result("hogs.background_thread", function, path="x")
    assert first > 5
    assert second - first < 20


WAYS = [
    ("exit 0", "Runtime exited without providing a reason"),
    ("exit 3", "exit status 3"),
    ("quick exit 7", "exit status 7"),
    ("exec", "Runtime exited without providing a reason"),
    ("abort", "signal: aborted"),
    ("segfault", "signal: segmentation fault"),
    ("SIGKILL", "signal: killed"),
    ("SIGTERM", "signal: terminated"),
    ("SIGSYS", "signal: bad system call"),
]


@pytest.mark.parametrize(
    ("target", "how", "reason"),
    [
        *((Origin.MADE, *way) for way in WAYS),
        *((Origin.ASSIGNED, *way) for way in WAYS if way[0] in ("exec", "SIGKILL")),
        *((Origin.RESTORED, *way) for way in WAYS if way[0] in ("exec", "segfault")),
    ],
    indirect=["target"],
)
def test_every_way_to_end_is_told_and_the_next_call_is_served(
    target: Range, how: str, reason: str
) -> None:
    answer = target.attack("hogs.end", how=how)
    assert answer.error == "Unhandled"
    assert answer.payload["errorMessage"].endswith(reason), answer
    assert target.result("hogs.processes")["1"] == "init"


def test_function_that_stops_itself_times_out(target: Range) -> None:
    answer = target.attack("hogs.end", target.attacker(128, 1), how="SIGSTOP")
    assert answer.payload["errorMessage"].endswith("Task timed out after 1.00 seconds")


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_environment_variables_of_others_are_nowhere(target: Range) -> None:
    """Not in the own environment, nor in memory inherited from the launcher."""
    secret = "correct-horse-battery-staple"  # noqa: S105 - made up
    source = "def handler(event, context):\n    return 1\n"
    target.deploy("keeper", source, Environment={"Variables": {"SECRET": secret}})
    assert target.user.invoke("keeper").payload == 1
    fresh = target.attacker(128, 17)
    assert secret not in str(target.result("reach.environment", fresh))
    # In two pieces, so that the needle itself is not what is found.
    assert target.result("calls.search_memory", fresh, needle=[secret[:14], secret[14:]]) == 0
    # The search finds what is there.
    own = ["AWS_LAMBDA_FUNC", "TION_NAME="]
    assert target.result("calls.search_memory", fresh, needle=own) > 0
