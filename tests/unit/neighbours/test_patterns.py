"""Which texts are patterns, and what they match, against a second implementation."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.domain.event_patterns import matches
from lambdad.neighbours.patterns import InvalidPattern, parse


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "Filter is not an object"),
        ("{", "Invalid JSON"),
        ("{}", "Empty objects are not allowed"),
        ('{"a": {}}', "Empty objects are not allowed"),
        ('{"a": []}', "Empty arrays are not allowed"),
        ('{"a": "b"}', '"a" must be an object or an array'),
        ('{"a": [["b"]]}', "Match value must be String, number, true, false, or null"),
        ('{"a": [{"like": "b"}]}', "Unrecognized match type like"),
        ('{"a": [{"prefix": "b", "suffix": "c"}]}', "Only one key allowed in match expression"),
        ('{"a": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('{"a": [{"exists": 1}]}', "exists match pattern must be either true or false."),
        ('{"a": [{"numeric": 1}]}', "Value of numeric must be an array."),
        ('{"a": [{"numeric": ["!", 1]}]}', "Unrecognized numeric range operator: !"),
        ('{"a": [{"numeric": [">", "1"]}]}', "Value of > must be numeric"),
        ('{"a": [{"numeric": [">", 5, "<", 5]}]}', "Bottom must be less than top"),
        ('{"a": [{"numeric": ["<", 1, ">", 5]}]}', "Bad numeric range operator: >"),
        ('{"a": [{"numeric": [">", 6e9]}]}', "Value must be between -5.0E9 and 5.0E9, inclusive"),
        ('{"a": [{"wildcard": "a**b"}]}', "Consecutive wildcard characters at pos 1"),
        (r'{"a": [{"wildcard": "a\\b"}]}', "Invalid escape character at pos 1"),
        ('{"a": [{"cidr": "10.0.0.0/99"}]}', "Malformed CIDR"),
        ('{"a": [{"anything-but": []}]}', "Empty arrays are not allowed"),
        ('{"a": [{"anything-but": ["b", 1]}]}', "Inside anything but list, either all values"),
        ('{"a": [{"anything-but": {"numeric": 1}}]}', "Unsupported anything-but pattern: numeric"),
        ('{"$or": ["x", "y"]}', "$or must be an array of two or more objects"),
        ('{"$or": [{"a": ["b"]}]}', "$or must be an array of two or more objects"),
        ('{"a":' * 900 + '["b"]' + "}" * 900, "Rule is too complex"),
        ('{"$or": [{"a": ["b"]}, {"a": "b"}]}', '"a" must be an object or an array'),
    ],
)
def test_what_is_no_pattern_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidPattern) as refused:
        parse(text)
    assert str(refused.value).startswith(reason)


TEXTS = st.sampled_from(
    ["", "a", "b", "ab", "aB", "ba", "abab", "10.0.0.7", "10.1.0.7", "*", "x*y"]
)
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, -1.5])
SCALARS = TEXTS | NUMBERS | st.booleans() | st.none()
NAMES = st.sampled_from(["p", "q", "r"])
RANGES = st.one_of(
    st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), NUMBERS).map(list),
    st.tuples(st.sampled_from([">", ">="]), NUMBERS, st.sampled_from(["<", "<="]), NUMBERS)
    .filter(lambda each: each[1] < each[3])
    .map(list),
)
WILDCARDS = st.lists(TEXTS.map(lambda text: text.replace("*", "\\*")), min_size=1, max_size=4).map(
    lambda pieces: re.sub(r"(?<!\\)\*+", "*", "*".join(pieces))
)


def one_or_more(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3)


LEAVES = st.one_of(
    SCALARS,
    TEXTS.map(lambda text: {"prefix": text}),
    TEXTS.map(lambda text: {"suffix": text}),
    TEXTS.map(lambda text: {"prefix": {"equals-ignore-case": text}}),
    TEXTS.map(lambda text: {"equals-ignore-case": text}),
    st.booleans().map(lambda there: {"exists": there}),
    RANGES.map(lambda bounds: {"numeric": bounds}),
    WILDCARDS.map(lambda text: {"wildcard": text}),
    st.sampled_from(["10.0.0.0/24", "10.0.0.0/8", "::/0"]).map(lambda net: {"cidr": net}),
    one_or_more(TEXTS).map(lambda texts: {"anything-but": texts}),
    one_or_more(NUMBERS).map(lambda numbers: {"anything-but": numbers}),
    st.tuples(
        st.sampled_from(["prefix", "suffix", "equals-ignore-case", "wildcard"]),
        one_or_more(st.sampled_from(["a", "ab", "b"])),
    ).map(lambda pair: {"anything-but": {pair[0]: pair[1]}}),
)


def objects(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, leaves, min_size=1, max_size=3)


FIELDS = objects(st.lists(LEAVES, min_size=1, max_size=3))
PATTERNS = st.recursive(
    FIELDS,
    lambda inner: st.one_of(
        objects(inner | st.lists(LEAVES, min_size=1, max_size=3)),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: {"$or": each}),
    ),
    max_leaves=4,
)
EVENTS = objects(
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | objects(inner),
        max_leaves=5,
    )
)


def naive(pattern: Any, event: Any) -> bool:
    """Choose an element for each list on the way, and look whether any choice fits."""
    if "$or" in pattern:
        rest = {name: value for name, value in pattern.items() if name != "$or"}
        return naive(rest, event) and any(naive(each, event) for each in pattern["$or"])
    for name, wanted in pattern.items():
        value = event[name] if isinstance(event, dict) and name in event else ...
        if isinstance(wanted, dict):
            choices = value if isinstance(value, list) and value else [value]
            flat = [each for choice in choices for each in unfold(choice)]
            if not any(naive(wanted, each) for each in flat):
                return False
        else:
            values = [each for each in unfold(value) if each is not ... and plain(each)]
            if not any(fits(leaf, values) for leaf in wanted):
                return False
    return True


def plain(value: Any) -> bool:
    return not isinstance(value, dict | list)


def unfold(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        return [value]
    return [each for element in value for each in unfold(element)]


def fits(leaf: Any, values: list[Any]) -> bool:
    if leaf in ({"exists": True}, {"exists": False}):
        return bool(values) is leaf["exists"]
    return any(is_like(leaf, value) for value in values)


def is_like(leaf: Any, value: Any) -> bool:  # noqa: C901, PLR0911 - a case for each operator
    if not isinstance(leaf, dict):
        return json.dumps(leaf) == json.dumps(value)
    [(operator, operand)] = leaf.items()
    if operator == "anything-but":
        if isinstance(operand, dict):
            [(inner, given)] = operand.items()
            excluded = given if isinstance(given, list) else [given]
            return not any(is_like({inner: each}, value) for each in excluded)
        return json.dumps(value) not in map(
            json.dumps, operand if isinstance(operand, list) else [operand]
        )
    if operator == "numeric":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        text = " and ".join(
            f"{value} {'==' if sign == '=' else sign} {bound}"
            for sign, bound in zip(operand[::2], operand[1::2], strict=True)
        )
        return bool(eval(text))  # noqa: S307 - made here, of numbers
    if not isinstance(value, str):
        return False
    if operator == "cidr":
        try:
            return ipaddress.ip_address(value) in ipaddress.ip_network(operand)
        except ValueError:
            return False
    if isinstance(operand, dict):
        operand, value = operand["equals-ignore-case"].lower(), value.lower()
    body = re.escape(operand)
    if operator == "wildcard":
        body = "".join(
            ".*" if piece == "*" else re.escape(piece.removeprefix("\\"))
            for piece in re.findall(r"\\.|.", operand, re.DOTALL)
        )
    expression = {"prefix": f"{body}.*", "suffix": f".*{body}"}.get(operator, body)
    flags = re.DOTALL | (re.IGNORECASE if operator == "equals-ignore-case" else 0)
    return re.fullmatch(expression, value, flags) is not None


@settings(max_examples=300, deadline=None)
@given(PATTERNS, EVENTS)
def test_patterns_match_as_the_naive_implementation_says(pattern: Any, event: Any) -> None:
    try:
        parsed = parse(json.dumps(pattern))
    except InvalidPattern:
        return
    assert matches(parsed, event) is naive(pattern, event)
