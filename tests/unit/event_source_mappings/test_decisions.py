"""What is decided without anything running: answers, filters, batches, pieces, scaling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.batching import EVENT_BYTES_MAX, event_of, fitting
from lambdad.event_source_mappings.calls import Call, Verdict
from lambdad.event_source_mappings.filtering import Filters
from lambdad.event_source_mappings.lanes import lane_of
from lambdad.event_source_mappings.progress import Progress
from lambdad.event_source_mappings.queue_records import message_of
from lambdad.event_source_mappings.responses import failed_items
from lambdad.event_source_mappings.retrying import Piece, Policy, after
from lambdad.event_source_mappings.scaling import Scaling
from lambdad.testing.event_sources import a_record

ALL_WELL: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", ALL_WELL),
        ("null", ALL_WELL),
        ('""', ALL_WELL),
        ("{}", ALL_WELL),
        ('{"batchItemFailures": null}', ALL_WELL),
        ('{"batchItemFailures": []}', ALL_WELL),
        ('{"batchItemFailures": [{"itemIdentifier": "a"}]}', frozenset("a")),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', None),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', None),
        ('{"batchItemFailures": [{"itemidentifier": "a"}]}', None),
        ('{"batchItemFailures": [{"itemIdentifier": "stranger"}]}', None),
        ('{"batchItemFailures": "a"}', None),
        ('{"batchItemFailures": ["a"]}', None),
        ("no json", None),
        ("[]", None),
        ("7", None),
    ],
)
def test_an_answer_names_what_failed(answer: str, expected: frozenset[str] | None) -> None:
    assert failed_items(answer.encode(), {"a", "b"}) == expected


@pytest.mark.parametrize(
    ("pattern", "body", "passes"),
    [
        ({"body": {"a": ["x"]}}, '{"a": "x"}', True),
        ({"body": {"a": ["x"]}}, '{"a": "y"}', False),
        ({"body": {"a": [{"exists": False}]}}, "plain", False),
        ({"body": ["plain"]}, "plain", True),
        ({"body": [{"prefix": "pl"}]}, "plain", True),
        ({"body": ["x"]}, '{"a": "x"}', False),
        ({"body": [{"exists": False}]}, '{"a": "x"}', False),
        ({"messageId": ["m"]}, "plain", True),
        ({"messageId": ["m"]}, '{"a": 1}', True),
        ({"messageId": ["n"]}, "plain", False),
        ({"body": {"a": [1]}}, "{broken", False),
        ({"body": ["{broken"]}, "{broken", True),
        ({}, "plain", True),
    ],
)
def test_the_form_of_a_pattern_must_be_that_of_the_body(
    pattern: dict[str, Any], body: str, passes: bool
) -> None:
    assert Filters([pattern], "body").passes({"messageId": "m", "body": body}, body) is passes


def test_one_filter_of_several_is_enough() -> None:
    filters = Filters([{"body": ["a"]}, {"body": {"n": [1]}}], "body")
    assert filters.passes({}, "a")
    assert filters.passes({}, '{"n": 1}')
    assert not filters.passes({}, "b")


def test_data_that_is_no_text_passes_only_filters_of_metadata() -> None:
    assert not Filters([{"data": {"n": [1]}}], "data").passes({}, b"\xff")
    assert Filters([{"partitionKey": ["k"]}], "data").passes({"partitionKey": "k"}, b"\xff")


@given(st.lists(st.integers(1, 3_000_000), max_size=12))
def test_batches_fit_and_keep_the_order(sizes: list[int]) -> None:
    messages = [
        message_of({"MessageId": str(n), "ReceiptHandle": "", "Body": "x" * size}, "a:a:a:r:a:a")
        for n, size in enumerate(sizes)
    ]
    parts = list(fitting(messages))
    assert [each for part in parts for each in part] == messages
    assert all(part for part in parts)
    for part in parts:
        assert len(event_of(part)) <= EVENT_BYTES_MAX + 20 or len(part) == 1


def test_an_event_is_the_records_in_order() -> None:
    event = json.loads(event_of([a_record(1), a_record(2)]))
    assert [record["n"] for record in event["Records"]] == [1, 2]


@given(st.permutations(range(8)))
def test_progress_is_behind_what_is_not_done(order: list[int]) -> None:
    progress = Progress(None)
    records = [a_record(number) for number in range(8)]
    progress.read(records)
    done: set[int] = set()
    for number in order:
        progress.done([records[number]])
        done.add(number)
        leading = next((n for n in range(8) if n not in done), 8)
        assert progress.sequence == (str(leading - 1) if leading else None)
    assert progress.all_done


POLICIES = st.builds(
    Policy,
    attempts_max=st.integers(0, 3),
    age_max_s=st.just(-1.0),
    bisects=st.booleans(),
    reports=st.booleans(),
)


@given(POLICIES, st.integers(1, 12), st.sets(st.integers(0, 11)))
def test_every_record_is_done_or_given_up_in_order_whatever_fails(
    policy: Policy, count: int, poison: set[int]
) -> None:
    settled: list[str] = []
    work = [Piece([a_record(number) for number in range(count)])]
    calls = 0
    while work:
        piece = work.pop()
        calls += 1
        bad = [each.sequence for each in piece.records if int(each.sequence) in poison]
        answer = {"batchItemFailures": [{"itemIdentifier": each} for each in bad]}
        failed = bool(bad) and not policy.reports
        call = Call(
            verdict=Verdict.FAILED if failed else Verdict.SUCCEEDED,
            request_id="",
            payload=json.dumps(answer).encode(),
        )
        decision = after(piece, call, policy)
        settled += [each.sequence for each in decision.done]
        if decision.given_up is not None:
            settled += [each.sequence for each in decision.given_up.records]
        work += reversed(decision.again)
    assert settled == [str(number) for number in range(count)]
    assert calls <= 2 * count * (policy.attempts_max + 2)


def test_a_mapping_with_a_maximum_begins_no_higher_than_that() -> None:
    assert Scaling({"ScalingConfig": {"MaximumConcurrency": 2}}, 0.0).initial == 2
    assert Scaling({}, 0.0).initial == 5
    pollers = {"ProvisionedPollerConfig": {"MinimumPollers": 3, "MaximumPollers": 7}}
    provisioned = Scaling(pollers, 0.0)
    assert (provisioned.initial, provisioned.maximum) == (3, 70)


def test_workers_are_added_at_300_a_minute() -> None:
    scaling = Scaling({}, 0.0)
    scaling.size = scaling.busy = 5
    added = 0
    for tenth in range(1, 601):
        if scaling.begins(tenth / 10):
            added += 1
            scaling.size += 1
        else:
            scaling.ends()
    assert 295 <= added <= 310


def test_pauses_double_up_to_a_maximum_and_begin_anew() -> None:
    backoff = Backoff(0.5, 3.0)
    assert [backoff.failed() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.succeeded()
    assert backoff.failed() == 0.5


def test_keys_have_their_lane() -> None:
    assert {lane_of(f"key-{number}", 10) for number in range(200)} == set(range(10))
    assert lane_of("k", 10) == lane_of("k", 10)
