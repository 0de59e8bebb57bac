"""The Runtime API: identity is the socket, and whatever comes over it is bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.firing_range import Origin, Range

GROWTH_KIB_MAX = 128 * 1024
# What one environment's requests may hold, 96 MiB; growing buffers and reads come on top.
UNFINISHED_KIB_MAX = 2 * 96 * 1024


def running_id(target: Range, function: str) -> str:
    """The request id of an invocation that runs now, as its log has it."""
    for _ in asking():
        try:
            events = target.user.logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")
        except target.user.logs.exceptions.ResourceNotFoundException:
            continue
        words = [event["message"].split() for event in events["events"]]
        ended = {word[2] for word in words if word[:2] == ["END", "RequestId:"]}
        for word in words:
            if word[:2] == ["START", "RequestId:"] and word[2] not in ended:
                return str(word[2])
    raise AssertionError(function)


def test_running_invocation_of_others_cannot_be_answered(target: Range) -> None:
    """A request id is no secret: knowing another's is worth nothing."""
    other = target.attacker(name="other")
    target.result("hogs.processes")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(target.attack, "hogs.spin", other, seconds=3)
        ids = [running_id(target, other), "00000000-0000-0000-0000-000000000000"]
        found = target.result("wire.forge", others=ids)
        assert not running.done()
        # Its own answer: a share of a processor, nothing forged.
        assert isinstance(running.result().payload, float)
    assert [found[f"other {n}"][0] for n in range(2)] == [400, 400]
    assert "InvalidRequestID" in found["other 0"][1]
    assert [found[name] for name in ("dots", "encoded", "long", "other")] == [404] * 4
    assert found["next while running"][0] == 403
    assert found["init error while running"][0] == 403
    assert found["id in pieces"] == 400


@pytest.mark.parametrize("target", Origin, indirect=True)
def test_second_answer_is_refused(target: Range) -> None:
    function = target.attacker(256, 16)
    assert target.result("wire.answer_twice", function) == "mine"
    first, second, error = target.result("wire.last", function)
    assert (first[0], second[0], error[0]) == (202, 403, 403)


def test_stolen_next_shows_only_own_events(target: Range) -> None:
    function = target.attacker(256, 3)
    target.attack("wire.steal_next", function, path="/tmp/stolen")  # noqa: S108 - the guest's
    for _ in range(3):
        target.attack("hogs.spin", function, seconds=0.05)
    answer = target.attack("files.text", function, path="/tmp/stolen")  # noqa: S108
    if answer.error is None:
        assert "bystander" not in answer.payload
    target.settle()


@pytest.mark.parametrize("which", ["runtime", "endpoint"])
def test_garbage_is_refused(target: Range, which: str) -> None:
    with target.observed() as seen:
        answer = target.attack("wire.garbage", target.attacker(512, 30), which=which)
    if which == "endpoint":
        assert answer.error is None, answer
        refused = {"closed", "silence", 400, 405, 413, 417, 431, 501, 505}
        assert set(answer.payload.values()) <= refused, answer.payload
    else:
        # An answer too large to be read fails the invocation, as one that is read would.
        assert answer.payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert max(seen.bystander_s) < 2


@pytest.mark.parametrize(("which", "most"), [("runtime", 32), ("endpoint", 64)])
def test_crowd_of_connections_is_turned_away(target: Range, which: str, most: int) -> None:
    before = target.holdings().descriptors
    found = target.result("wire.crowd", target.attacker(256, 30), which=which, number=1000)
    assert found["answered"] <= most
    for _ in asking():
        if target.holdings().descriptors < before + 32:
            break
    assert target.holdings().descriptors < before + 32


@pytest.mark.parametrize("which", ["runtime", "endpoint"])
def test_slow_heads_hold_nobody_up(target: Range, which: str) -> None:
    with target.observed() as seen:
        target.result("wire.slow", which=which, number=30, seconds=0.5)
    assert max(seen.bystander_s) < 1


def test_large_answers_are_refused(target: Range) -> None:
    function = target.attacker(512, 20)
    answer = target.attack("wire.large_answer", function, mebibytes=10)
    assert answer.payload["errorType"] == "Function.ResponseSizeTooLarge"
    # Past the guest: refused too, whether it is read to its end or not.
    for mebibytes in (10, 40):
        answer = target.attack("wire.post_large", function, mebibytes=mebibytes)
        assert answer.payload["errorType"] == "Function.ResponseSizeTooLarge"
        assert target.result("wire.last", function)[0] == 413


def test_answers_that_nobody_reads_do_not_pile_up(target: Range) -> None:
    before = target.holdings().resident_kib
    with target.observed() as seen:
        target.result("wire.unread", target.attacker(1769, 20), seconds=1)
    assert seen.resident_kib - before < GROWTH_KIB_MAX


def test_pipelined_requests_are_served_one_after_the_other(target: Range) -> None:
    """Thousands in one packet: no recursion, and others are served meanwhile."""
    with target.observed() as seen:
        asked = target.result(
            "wire.many_calls", target.attacker(1769, 20), seconds=1, connections=8
        )
    assert asked > 1000
    assert max(seen.bystander_s) < 2


def test_requests_behind_one_that_is_parked_do_not_pile_up(target: Range) -> None:
    function = target.attacker(1769, 20)
    before = target.holdings().resident_kib
    target.attack("wire.parked_and_piped", function, mebibytes=200, stage=0)
    with target.observed() as seen:
        target.attack("wire.parked_and_piped", function, mebibytes=200, stage=1)
    assert seen.resident_kib - before < GROWTH_KIB_MAX


@pytest.mark.parametrize(("which", "number", "size"), [("runtime", 31, 16), ("endpoint", 64, 60)])
def test_unfinished_bodies_do_not_pile_up(
    target: Range, which: str, number: int, size: int
) -> None:
    before = target.holdings().resident_kib
    with target.observed() as seen:
        how = {"which": which, "number": number, "mebibytes": size}
        target.attack("wire.half_bodies", target.attacker(1769, 30), **how)
    assert seen.resident_kib - before < UNFINISHED_KIB_MAX


@pytest.mark.slow
def test_large_requests_to_the_endpoint_do_not_blow_the_daemon(target: Range) -> None:
    """66 MB each, on 64 connections, over and over."""
    how = {"number": 64, "mebibytes": 66, "seconds": 3}
    with target.observed() as seen:
        target.attack("wire.whole_bodies", target.attacker(1769, 60), **how)
    assert seen.resident_kib < 600 * 1024
    assert max(seen.bystander_s) < 3
