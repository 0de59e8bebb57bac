"""Which texts are filter patterns."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.filter_patterns import InvalidPattern, parse_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"a": ["b", 1, 1.5, True, None, ""]},
        {"a": {"b": {"c": ["d"]}}},
        {"a": [{"prefix": "x"}, {"suffix": "y"}, {"equals-ignore-case": "z"}]},
        {"a": [{"prefix": {"equals-ignore-case": "x"}}]},
        {"a": [{"anything-but": ["x", 1]}]},
        {"a": [{"anything-but": "x"}, {"anything-but": {"prefix": "x"}}]},
        {"a": [{"numeric": ["=", 1]}, {"numeric": [">", 0, "<=", 5.5]}]},
        {"a": [{"exists": True}], "b": [{"exists": False}]},
        {"$or": [{"a": ["x"]}, {"b": [{"numeric": ["<", 1]}]}]},
    ],
)
def test_patterns_are_accepted(pattern: object) -> None:
    assert parse_pattern(json.dumps(pattern)) == pattern


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        '"text"',
        "null",
        '{"a": "b"}',
        '{"a": 1}',
        '{"a": null}',
        '{"a": []}',
        '{"a": [["b"]]}',
        '{"a": [{}]}',
        '{"a": [{"wat": 1}]}',
        '{"a": [{"prefix": 1}]}',
        '{"a": [{"prefix": "x", "suffix": "y"}]}',
        '{"a": [{"anything-but": []}]}',
        '{"a": [{"anything-but": {"exists": true}}]}',
        '{"a": [{"anything-but": {}}]}',
        '{"a": [{"numeric": []}]}',
        '{"a": [{"numeric": ["=", "1"]}]}',
        '{"a": [{"numeric": ["!", 1]}]}',
        '{"a": [{"numeric": [">", 5, "<", 1]}]}',
        '{"a": [{"numeric": ["<", 1, ">", 5]}]}',
        '{"a": [{"numeric": [">", true]}]}',
        '{"a": [{"exists": "yes"}]}',
        '{"$or": {"a": ["b"]}}',
        '{"$or": []}',
        '{"$or": ["a"]}',
        '{"a": ' * 100 + '["b"]' + "}" * 100,
        "[" * 100_000,
    ],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidPattern):
        parse_pattern(text)


@given(
    st.text(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["a", "$or", "prefix", "numeric", "exists", "anything-but"]), inner
            )
        ),
    ).map(json.dumps)
)
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        parse_pattern(text)
    except InvalidPattern:
        return
    assert isinstance(json.loads(text), dict)
