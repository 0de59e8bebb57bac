"""Condition operators of policy statements."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.authz.conditions import arn_matches, holds, lowered, problem_of, text_matches

BUCKET = "arn:aws:s3:::pictures"


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "A", "a", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringNotEquals", ["a", "b"], "a", False),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringLike", "a.c", "abc", False),
        ("StringNotLike", "a*", "ab", False),
        ("ArnLike", "arn:aws:s3:::pic*", BUCKET, True),
        ("ArnEquals", "arn:aws:s3:::pic*", BUCKET, True),
        ("ArnLike", "arn:aws:*:pictures", BUCKET, False),
        ("ArnNotLike", "arn:aws:s3:::pic*", BUCKET, False),
        ("ArnNotEquals", "arn:aws:s3:::other", BUCKET, True),
        ("Bool", "true", "true", True),
        ("Bool", True, "TRUE", True),
        ("Bool", "false", "true", False),
        ("Bool", "true", "1", False),
        ("NumericEquals", 1, "1.0", True),
        ("NumericNotEquals", "1", "2", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericEquals", "10", "ten", False),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026-01-01", "1700000000", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.0/24", "2001:db8::1", False),
        ("NotIpAddress", ["10.0.0.0/8", "::1"], "192.168.0.1", True),
        ("Null", "false", "a", True),
        ("Null", "true", "a", False),
        ("StringEqualsIfExists", "a", "b", False),
        ("ForAnyValue:StringEquals", "a", "a", True),
        ("ForAllValues:StringEquals", "a", "b", False),
    ],
)
def test_an_operator_compares_as_its_name_says(
    operator: str, wanted: Any, found: str, expected: bool
) -> None:
    condition = {operator: {"aws:Key": wanted}}
    assert problem_of(condition) is None
    assert holds(condition, lowered({"AWS:key": found})) is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "expected"),
    [
        ("StringEquals", "a", False),
        ("StringNotEquals", "a", True),
        ("StringEqualsIfExists", "a", True),
        ("ForAllValues:StringEquals", "a", True),
        ("ForAnyValue:StringEquals", "a", False),
        ("ForAnyValue:StringNotEquals", "a", False),
        ("Null", "true", True),
        ("Null", "false", False),
    ],
)
def test_a_key_that_the_request_lacks_equals_nothing(
    operator: str, wanted: str, expected: bool
) -> None:
    assert holds({operator: {"k": wanted}}, lowered({})) is expected


def test_of_several_values_some_or_all_have_to_fit() -> None:
    context = lowered({"k": ["a", "b"]})
    assert holds({"ForAnyValue:StringEquals": {"k": ["b", "c"]}}, context)
    assert not holds({"ForAllValues:StringEquals": {"k": ["b", "c"]}}, context)
    assert holds({"ForAllValues:StringEquals": {"k": ["a", "b", "c"]}}, context)


def test_all_operators_and_all_keys_have_to_hold() -> None:
    context = lowered({"a": "1", "b": "2"})
    assert holds({"StringEquals": {"a": "1", "b": "2"}, "NumericLessThan": {"a": 2}}, context)
    assert not holds({"StringEquals": {"a": "1", "b": "1"}}, context)
    assert not holds({"StringEquals": {"a": "1"}, "StringLike": {"b": "1*"}}, context)
    assert holds({}, context)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ([], "must be an object"),
        ({"StringSame": {"k": "v"}}, "StringSame is not supported"),
        ({"StringEquals": "k"}, "must have an object of keys"),
        ({"StringEquals": {"k": []}}, "a value or a list of values"),
        ({"StringEquals": {"k": {"a": 1}}}, "a value or a list of values"),
        ({"StringEquals": {"k": [["a"]]}}, "a value or a list of values"),
        ({"StringEquals": {"k": None}}, "a value or a list of values"),
        ({"StringEquals": {"k": "${aws:PrincipalAccount}"}}, "policy variables"),
        ({"NumericEquals": {"k": "ten"}}, "ten is not a value"),
        ({"IpAddress": {"k": "300.0.0.1"}}, "300.0.0.1 is not a value"),
        ({"DateEquals": {"k": "yesterday"}}, "yesterday is not a value"),
        ({"Bool": {"k": "yes"}}, "yes is not a value"),
        ({"Null": {"k": "maybe"}}, "maybe is not a value"),
    ],
)
def test_a_condition_that_cannot_be_obeyed_is_told(condition: Any, told: str) -> None:
    problem = problem_of(condition)
    assert problem is not None
    assert told in problem


def test_an_unknown_operator_is_never_taken_for_one_that_holds() -> None:
    with pytest.raises(ValueError, match="StringSame"):
        holds({"StringSame": {"k": "v"}}, lowered({}))


@given(text=st.text(max_size=20))
def test_every_text_is_like_itself_and_like_anything(text: str) -> None:
    plain = re.sub(r"[*?]", "x", text)
    assert text_matches(plain, plain)
    assert text_matches("*", text)
    assert text_matches("?" * len(text), text)
    assert text_matches(f"*{plain[1:]}", plain)
    assert not text_matches(f"{plain}?", plain)


@given(parts=st.lists(st.text("ab*", max_size=3), min_size=6, max_size=6))
def test_a_wildcard_does_not_reach_into_another_part_of_an_arn(parts: list[str]) -> None:
    arn = "arn:aws:s3:r:a:x"
    expected = all(
        text_matches(wanted, found) for wanted, found in zip(parts, arn.split(":"), strict=True)
    )
    assert arn_matches(":".join(parts), arn) is expected


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_wildcards_match_as_a_simple_matcher_says(pattern: str, text: str) -> None:
    def simple(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(simple(pattern[1:], text[at:]) for at in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and simple(pattern[1:], text[1:])

    assert text_matches(pattern, text) == simple(pattern, text)


def test_many_wildcards_are_not_tried_in_all_ways() -> None:
    # In all ways it would take longer than the universe lasts.
    assert not text_matches("*a" * 60 + "b", "a" * 2_000)
