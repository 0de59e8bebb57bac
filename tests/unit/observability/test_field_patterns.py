"""Patterns of fields and of regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.observability.patterns import InvalidPattern, compile_extractor, compile_pattern
from lambdad.observability.regex_patterns import InvalidRegex, LinearRegex

LINE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'

_ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\d", r"\.", "[a-c]"])
_TIMES = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,}"])
_WORDS = st.lists(st.tuples(_ATOMS, _TIMES).map("".join), max_size=5).map("".join)
_ALTERNATIVES = st.tuples(st.sampled_from(["", "^"]), _WORDS, st.sampled_from(["", "$"]))
_REGEXES = st.lists(_ALTERNATIVES.map("".join), min_size=1, max_size=3).map("|".join)


@given(_REGEXES, st.text("abc.1\n", max_size=12))
def test_regular_expressions_find_what_pythons_find(expression: str, text: str) -> None:
    naive = re.compile(expression.replace("$", r"\Z"), re.DOTALL | re.ASCII)
    assert LinearRegex(expression).occurs(text) is (naive.search(text) is not None)


def test_no_expression_takes_long() -> None:
    text = "a" * 200_000
    assert not LinearRegex("a*a*a*a*a*a*b").occurs(text)
    assert not LinearRegex("^a{0,400}$").occurs(text)


@pytest.mark.parametrize(
    "expression", ["(a)", "a**", "[a", r"\1", "a^b", "a$b", "a{3,1}", "a{9999}"]
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidRegex):
        LinearRegex(expression)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("[ip, id, user, timestamp, request, status_code, size]", True),
        ("[ip, id, user, timestamp, request, status_code]", False),
        ("[ip, ..., size]", True),
        ("[..., status_code=404, size]", True),
        ("[..., status_code=4*, size]", True),
        ("[..., status_code=500 || status_code=404, size]", True),
        ("[..., status_code>400 && status_code<404, size]", False),
        ("[..., status_code!=404, size]", False),
        ("[..., size > 1500]", True),
        (r"[ip=%127\.0\.0\.[1-3]%, ...]", True),
        ("[ip, id, user, timestamp, request=*index.html*, ...]", True),
        ('[ip, id, user, timestamp, request="GET, POST", ...]', False),
        ("[ip, id, user=frank || user=joe, ...]", True),
        (r"%HTTP/1\.[01]%", True),
        ("%^GET%", False),
    ],
)
def test_fields_are_compared_as_the_pattern_says(pattern: str, matches: bool) -> None:
    assert compile_pattern(pattern)(LINE) is matches


def test_the_fields_of_a_match_can_be_read() -> None:
    assert compile_extractor("[..., size]")(LINE) == {
        "$size": "1534",
        "$1": "127.0.0.1",
        "$2": "-",
        "$3": "frank",
        "$4": "10/Oct/2000:13:25:15 -0700",
        "$5": "GET /index.html HTTP/1.0",
        "$6": "404",
    }
    assert compile_extractor("[ip]")(LINE) is None
    assert compile_extractor('{ $.a = 1 && $.b.c = "x" }')('{"a":1,"b":{"c":"x"}}') == {
        "$.a": "1",
        "$.b.c": "x",
    }
    assert compile_extractor("frank")(LINE) == {}


def test_json_values_are_compared_with_regular_expressions() -> None:
    matcher = compile_pattern(r"{ $.path = %^/api/v\d+% && $.ok IS TRUE }")
    assert matcher('{"path":"/api/v12/x","ok":true}')
    assert not matcher('{"path":"/web","ok":true}')


@pytest.mark.parametrize(
    "pattern",
    ["[a, a]", "[..., ...]", "[a", "[a b]", "[a>x]", "[a=1 && b=2]", "[a=%(%]", "[1a]", "[a,]"],
)
def test_what_is_no_pattern_of_fields_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)
