"""Whether events match patterns, by example and against a second, naive implementation."""

from __future__ import annotations

import fnmatch
import ipaddress
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.event_patterns import matches, wildcard_pieces

_MATCHES: list[tuple[dict[str, Any], Any, bool]] = [
    ({}, {"a": 1}, True),
    ({"a": ["x"]}, {"a": "x"}, True),
    ({"a": ["x"]}, {"a": "y"}, False),
    ({"a": ["x"]}, {}, False),
    ({"a": ["x"]}, "text", False),
    ({"a": ["x", "y"]}, {"a": ["z", "y"]}, True),
    ({"a": [300]}, {"a": 300}, True),
    ({"a": [300]}, {"a": 300.0}, False),
    ({"a": [{"numeric": ["=", 300]}]}, {"a": 300.0}, True),
    ({"a": [1]}, {"a": True}, False),
    ({"a": ["1"]}, {"a": 1}, False),
    ({"a": [None]}, {"a": None}, True),
    ({"a": [None]}, {}, False),
    ({"a": [""]}, {"a": ""}, True),
    ({"a": {"b": ["x"]}}, {"a": {"b": "x"}}, True),
    ({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, True),
    ({"a": {"b": ["x"], "c": ["y"]}}, {"a": [{"b": "x"}, {"c": "y"}]}, False),
    ({"a": [{"prefix": "ab"}]}, {"a": "abc"}, True),
    ({"a": [{"prefix": {"equals-ignore-case": "AB"}}]}, {"a": "abc"}, True),
    ({"a": [{"suffix": ".png"}]}, {"a": "x.png"}, True),
    ({"a": [{"suffix": ".png"}]}, {"a": 1}, False),
    ({"a": [{"equals-ignore-case": "Alice"}]}, {"a": "aLICE"}, True),
    ({"a": [{"anything-but": ["x"]}]}, {"a": "y"}, True),
    ({"a": [{"anything-but": "x"}]}, {"a": "x"}, False),
    ({"a": [{"anything-but": "x"}]}, {}, False),
    ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "xy"}, False),
    ({"a": [{"anything-but": {"suffix": ["x", "y"]}}]}, {"a": "ab"}, True),
    ({"a": [{"anything-but": {"wildcard": "*/x"}}]}, {"a": "b/x"}, False),
    ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, True),
    ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 0}, False),
    ({"a": [{"numeric": ["<", 5]}]}, {"a": "4"}, False),
    ({"a": [{"exists": True}]}, {"a": None}, True),
    ({"a": [{"exists": True}]}, {"a": {"b": 1}}, False),
    ({"a": [{"exists": False}]}, {"a": {"b": 1}}, True),
    ({"a": [{"exists": False}]}, {"a": []}, True),
    ({"a": {"b": [{"exists": False}]}}, {}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.1.0"}, False),
    ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "2001:db8::1"}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "no address"}, False),
    ({"a": [{"wildcard": "dir/*.png"}]}, {"a": "dir/x/y.png"}, True),
    ({"a": [{"wildcard": "a*a"}]}, {"a": "a"}, False),
    ({"a": [{"wildcard": r"a\*b"}]}, {"a": "a*b"}, True),
    ({"a": [{"wildcard": r"a\*b"}]}, {"a": "axb"}, False),
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}, True),
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}], "c": ["z"]}, {"b": "y"}, False),
]


@pytest.mark.parametrize(("pattern", "event", "expected"), _MATCHES)
def test_an_event_matches_as_eventbridge_says(
    pattern: dict[str, Any], event: Any, expected: bool
) -> None:
    assert matches(pattern, event) is expected


_NAMES = ("a", "b")
_TEXTS = st.text(alphabet="aB*", max_size=3)
_VALUES = _TEXTS | st.integers(0, 3) | st.sampled_from([1.0, 2.5]) | st.booleans() | st.none()
_PLAIN_TEXT = st.fixed_dictionaries({"equals-ignore-case": _TEXTS})
_LEAVES = st.one_of(
    _VALUES,
    st.builds(lambda text: {"prefix": text}, _TEXTS | _PLAIN_TEXT),
    st.builds(lambda text: {"suffix": text}, _TEXTS | _PLAIN_TEXT),
    st.builds(lambda text: {"wildcard": text}, _TEXTS),
    st.builds(lambda text: {"equals-ignore-case": text}, _TEXTS),
    st.builds(
        lambda inner: {"anything-but": inner},
        _VALUES
        | st.lists(_VALUES, min_size=1, max_size=2)
        | st.builds(lambda name, text: {name: text}, st.sampled_from(["prefix", "suffix"]), _TEXTS),
    ),
    st.builds(
        lambda name, bound: {"numeric": [name, bound]},
        st.sampled_from(["=", "<", "<=", ">", ">="]),
        st.integers(0, 3),
    ),
    st.builds(lambda wanted: {"exists": wanted}, st.booleans()),
)


def _fields(names: tuple[str, ...], children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), children, max_size=2)


_LISTS = st.lists(_LEAVES, min_size=1, max_size=3)
_OBJECTS = _fields(_NAMES, _LISTS | _fields(_NAMES, _LISTS))
_PATTERNS = st.one_of(
    _OBJECTS,
    # Fields of their own: what an alternative says about a field that is also asked for beside
    # it is left open by the naive definition.
    st.builds(
        lambda plain, others: {**plain, "$or": others},
        _OBJECTS,
        st.lists(_fields(("c", "d"), _LISTS), min_size=1, max_size=2),
    ),
)
_EVENTS = st.dictionaries(
    st.sampled_from(("a", "b", "c", "d")),
    st.recursive(
        _VALUES,
        lambda inner: st.lists(inner, max_size=2) | _fields(_NAMES, inner),
        max_leaves=4,
    ),
)


def worlds(value: Any) -> Iterator[Any]:
    """All events without lists that come of choosing one element of each; `...` for none."""
    if isinstance(value, list):
        if not value:
            yield ...
        for element in value:
            yield from worlds(element)
    elif isinstance(value, dict):
        for chosen in itertools.product(*(list(worlds(each)) for each in value.values())):
            pairs = zip(value, chosen, strict=True)
            yield {name: each for name, each in pairs if each is not ...}
    else:
        yield value


def naive(pattern: dict[str, Any], event: Any) -> bool:
    return any(_naive(pattern, world) for world in worlds(event))


def _naive(pattern: dict[str, Any], event: Any) -> bool:
    def field(name: str, wanted: Any) -> bool:
        if name == "$or":
            return any(_naive(each, event) for each in wanted)
        value = event.get(name, ...) if isinstance(event, dict) else ...
        if isinstance(wanted, dict):
            return _naive(wanted, value)
        if isinstance(value, dict):
            value = ...
        return any(_naive_leaf(each, value) for each in wanted)

    return all(field(name, wanted) for name, wanted in pattern.items())


def _naive_leaf(wanted: Any, value: Any) -> bool:  # noqa: C901, PLR0911, PLR0912 - a case each
    if wanted == {"exists": False}:
        return value is ...
    if value is ...:
        return False
    match wanted:
        case {"exists": True}:
            return True
        case {"prefix": {"equals-ignore-case": text}}:
            return isinstance(value, str) and value.lower()[: len(text)] == text.lower()
        case {"suffix": {"equals-ignore-case": text}}:
            return isinstance(value, str) and value.lower().endswith(text.lower())
        case {"prefix": text}:
            return isinstance(value, str) and value[: len(text)] == text
        case {"suffix": text}:
            return isinstance(value, str) and value.endswith(text)
        case {"wildcard": text}:
            return isinstance(value, str) and fnmatch.fnmatchcase(value, text)
        case {"equals-ignore-case": text}:
            return isinstance(value, str) and value.lower() == text.lower()
        case {"anything-but": dict() as inner}:
            return not _naive_leaf(inner, value)
        case {"anything-but": list() as inner}:
            return not any(_naive_leaf(each, value) for each in inner)
        case {"anything-but": inner}:
            return not _naive_leaf(inner, value)
        case {"numeric": [name, bound]}:
            if type(value) not in (int, float):
                return False
            sign = (value > bound) - (value < bound)
            return sign in {"=": (0,), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}[name]
    return repr(wanted) == repr(value)


@given(_PATTERNS, _EVENTS)
def test_matching_is_what_a_naive_implementation_says(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    assert matches(pattern, event) is naive(pattern, event)


@given(st.text(alphabet="ab*\\", max_size=6), st.text(alphabet="ab*\\", max_size=8))
def test_wildcards_match_as_a_regular_expression_does(text: str, value: str) -> None:
    expression = ".*".join(re.escape(piece) for piece in wildcard_pieces(text))
    expected = re.fullmatch(expression, value, re.DOTALL) is not None
    assert matches({"a": [{"wildcard": text}]}, {"a": value}) is expected


@given(st.integers(0, 32), st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_networks_are_compared_bit_by_bit(bits: int, network: Any, address: Any) -> None:
    shift = 32 - bits
    expected = int(network) >> shift == int(address) >> shift
    assert matches({"a": [{"cidr": f"{network}/{bits}"}]}, {"a": str(address)}) is expected
    assert isinstance(address, ipaddress.IPv4Address)
