"""Loops of invocations are found, whatever leads into them; what is no loop is never stopped."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.dataplane.lineage import INVOCATIONS_MAX, Lineage, arrive, received_lineage
from lambdad.dataplane.tracing import trace_header
from lambdad.domain.errors import RecursiveInvocationException


def arn(name: object) -> str:
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


def ran(names: Iterable[str], allowed: frozenset[str] = frozenset()) -> list[str]:
    """Those of a chain of invocations that ran, until one was stopped."""
    header, done = None, []
    for name in names:
        try:
            found = arrive(
                received_lineage(header), arn(name), allowed=lambda name=name: name in allowed
            )
        except RecursiveInvocationException:
            break
        header = trace_header(header, 1.0, lineage=found.text)
        done.append(name)
    return done


def test_a_function_that_invokes_itself_runs_16_times() -> None:
    assert len(ran(["f"] * 100)) == INVOCATIONS_MAX == 16


def test_of_two_functions_that_invoke_each_other_one_runs_16_times() -> None:
    done = ran(islice(cycle("ab"), 100))
    assert (done.count("a"), done.count("b")) == (17, 16)


@given(
    lead=st.lists(st.integers(0, 10**6).map(str), unique=True, max_size=40),
    loop=st.lists(st.text("abcdefgh", min_size=1), unique=True, min_size=1, max_size=150),
)
def test_every_loop_is_stopped_within_a_bounded_number_of_hops(
    lead: list[str], loop: list[str]
) -> None:
    hops = len(ran(chain(lead, islice(cycle(loop), 40_000))))
    assert 15 * len(loop) < hops <= 64 * (len(loop) + len(lead) + 2)


@given(names=st.lists(st.integers(0, 10**6).map(str), unique=True, max_size=300))
def test_a_chain_of_different_functions_is_never_stopped(names: list[str]) -> None:
    assert ran(names) == names


def test_a_loop_that_was_left_does_not_hide_the_next() -> None:
    names = chain(["a"] * 10, islice(cycle(["b", "c"]), 5_000))
    assert len(ran(names)) < 2_000


def test_a_function_that_may_loop_is_not_stopped() -> None:
    assert len(ran(["f"] * 500, frozenset("f"))) == 500


def test_of_a_loop_the_function_that_may_not_is_stopped() -> None:
    done = ran(islice(cycle("ab"), 500), frozenset("a"))
    assert (done.count("b"), done[-1]) == (16, "a")


def test_what_a_loop_calls_by_the_way_is_not_stopped() -> None:
    header = None
    for _ in range(300):
        at_loop = arrive(received_lineage(header), arn("loop"), allowed=lambda: True)
        header = trace_header(header, 1.0, lineage=at_loop.text)
        arrive(received_lineage(header), arn("leaf"), allowed=lambda: False)


@pytest.mark.parametrize(
    "text", ["1:zzzzzzzz:0", "99999:00000000:0", "1:00000000:256", "1:0000000:0", "a", "::", ""]
)
def test_malformed_lineages_begin_anew(text: str) -> None:
    assert received_lineage(f"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Lineage={text}") is None


@given(received=st.text() | st.none())
def test_whatever_is_received_a_lineage_comes_of_it(received: str | None) -> None:
    found = arrive(received_lineage(received), arn("f"), allowed=lambda: False)
    assert received_lineage(f"Lineage={found.text}") == found


@pytest.mark.parametrize("hops", [0, 32_767])
def test_at_its_ends_the_count_of_hops_begins_anew(hops: int) -> None:
    found = arrive(Lineage(hops, "00000000", 15), arn("f"), allowed=lambda: False)
    assert (found.hops, found.loops) == (1, 0)
