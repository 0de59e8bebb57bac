"""Expressions mean what they say: against a second implementation, and in examples."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.neighbours.dynamodb import naive

from lambdad.neighbours.dynamodb import values
from lambdad.neighbours.dynamodb.errors import ValidationException
from lambdad.neighbours.dynamodb.expressions.condition_parser import parse_condition
from lambdad.neighbours.dynamodb.expressions.key_conditions import key_range
from lambdad.neighbours.dynamodb.expressions.paths import parse_projection, project
from lambdad.neighbours.dynamodb.expressions.tokens import Placeholders
from lambdad.neighbours.dynamodb.expressions.update_parser import parse_update
from lambdad.neighbours.dynamodb.keys import KeyAttribute, KeySchema, encoded

NAMES = st.sampled_from(["a", "b", "c"])
# Few different ones, so that what is compared is often equal.
SCALARS = st.one_of(
    st.sampled_from([{"S": text} for text in ("", "a", "ab", "b")]),
    st.sampled_from([{"N": text} for text in ("-1", "0", "1", "2", "10")]),
    st.sampled_from([{"B": content} for content in (b"", b"a", b"ab")]),
    st.sampled_from([{"BOOL": True}, {"BOOL": False}, {"NULL": True}]),
    st.sampled_from([{"SS": ["a"]}, {"SS": ["a", "ab"]}, {"NS": ["1", "2"]}, {"BS": [b"a"]}]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda each: {"L": each}, st.lists(inner, max_size=3)),
        st.builds(lambda each: {"M": each}, st.dictionaries(NAMES, inner, max_size=2)),
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=3)
STEPS = st.one_of(NAMES, st.integers(0, 2))
PATHS = st.builds(lambda first, rest: (first, *rest), NAMES, st.lists(STEPS, max_size=2))
ORDERED = SCALARS.filter(lambda value: next(iter(value)) in ("S", "N", "B"))
AT = st.builds(lambda path: ("path", path), PATHS)
LITERAL = st.builds(lambda value: ("value", value), VALUES)
SIZE = st.builds(lambda path: ("size", path), PATHS)
BOUND = st.one_of(AT, SIZE, st.builds(lambda value: ("value", value), ORDERED))
TEXTS = ORDERED.filter(lambda value: "N" not in value)
PREDICATES = st.one_of(
    st.tuples(st.just("compare"), st.sampled_from(["=", "<>"]), AT | SIZE, AT | LITERAL),
    st.tuples(st.just("compare"), st.sampled_from(["<", "<=", ">", ">="]), BOUND, BOUND),
    st.tuples(st.just("between"), AT, BOUND, AT | SIZE),
    st.tuples(st.just("in"), AT, st.lists(AT | LITERAL, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["attribute_exists", "attribute_not_exists"]), PATHS),
    st.tuples(st.just("attribute_type"), PATHS, st.sampled_from(values.TYPES)),
    st.tuples(st.just("contains"), PATHS, LITERAL),
    st.tuples(st.just("begins_with"), PATHS, st.builds(lambda value: ("value", value), TEXTS)),
)
CONDITIONS = st.recursive(
    PREDICATES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3)),
        st.tuples(st.just("NOT"), inner),
    ),
    max_leaves=5,
)


def _compares_with_itself(node: Any) -> bool:
    """DynamoDB refuses `a = a`."""
    if not isinstance(node, tuple | list):
        return False
    if len(node) == 4 and node[0] == "compare" and node[2] == node[3]:
        return True
    return any(_compares_with_itself(each) for each in node)


def _types(node: Any) -> int:
    if not isinstance(node, tuple | list):
        return 0
    return (len(node) > 0 and node[0] == "attribute_type") + sum(_types(each) for each in node)


@settings(max_examples=400)
@given(ITEMS, CONDITIONS.filter(lambda each: not _compares_with_itself(each) and _types(each) < 2))
def test_a_condition_holds_when_a_naive_reading_says_so(
    item: values.Item, condition: tuple[Any, ...]
) -> None:
    writer = naive.Writer()
    text = writer.condition(condition)
    placeholders = Placeholders(writer.names or None, writer.values or None)
    parsed = parse_condition(text, placeholders)
    placeholders.check_all_used()
    assert parsed.holds(item) is naive.meets(item, condition)


@settings(max_examples=200)
@given(ITEMS, VALUES, PATHS)
def test_what_is_set_is_found_at_its_path_and_nothing_else_changes(
    item: values.Item, value: values.Value, path: tuple[str | int, ...]
) -> None:
    writer = naive.Writer()
    placeholders = Placeholders(None, {":v": value})
    update = parse_update(f"SET {writer.path(path)} = :v".replace("#", ""), placeholders)
    before = copy.deepcopy(item)
    try:
        after = update.applied(item)
    except ValidationException:
        assert len(path) > 1
        assert naive.at(item, path[:-1]) is naive.MISSING or (
            naive.at(item, path[:-1])[0] != ("L" if isinstance(path[-1], int) else "M")
        )
        return
    assert item == before
    appended = isinstance(path[-1], int) and naive.at(item, path) is naive.MISSING
    if appended:
        length = len(naive.at(item, path[:-1])[1])
        path = (*path[:-1], length)
    assert naive.at(after, path) == naive.plain(value)
    removed = parse_update(f"REMOVE {writer.path(path)}".replace("#", ""), Placeholders(None, None))
    if naive.at(item, path) is naive.MISSING:
        assert removed.applied(after) == before
    others = {name: each for name, each in after.items() if name != path[0]}
    assert others == {name: each for name, each in before.items() if name != path[0]}


def applied(item: dict[str, Any], text: str, **literals: Any) -> dict[str, Any]:
    given_values = {f":{name}": value for name, value in literals.items()}
    placeholders = Placeholders(None, given_values or None)
    return parse_update(text, placeholders).applied(item)


def n(number: int) -> dict[str, str]:
    return {"N": str(number)}


@pytest.mark.parametrize(
    ("item", "text", "literals", "after"),
    [
        ({"a": n(1)}, "SET a = a + :x, b = a", {"x": n(2)}, {"a": n(3), "b": n(1)}),
        ({"a": n(1)}, "SET a = :x - a", {"x": n(2)}, {"a": n(1)}),
        ({}, "SET a = if_not_exists(a, :x) + :x", {"x": n(2)}, {"a": n(4)}),
        (
            {"a": {"L": [n(1)]}},
            "SET a = list_append(:x, a)",
            {"x": {"L": [n(0)]}},
            {"a": {"L": [n(0), n(1)]}},
        ),
        (
            {},
            "set a = list_append(if_not_exists(a, :x), :x)",
            {"x": {"L": [n(0)]}},
            {"a": {"L": [n(0), n(0)]}},
        ),
        (
            {"a": {"L": [n(0), n(1), n(2), n(3)]}},
            "REMOVE a[1], a[2], a[9]",
            {},
            {"a": {"L": [n(0), n(3)]}},
        ),
        (
            {"a": {"L": [n(0), n(1)]}},
            "SET a[7] = :x, a[5] = :y REMOVE a[0]",
            {"x": n(7), "y": n(5)},
            {"a": {"L": [n(1), n(5), n(7)]}},
        ),
        ({}, "ADD a :x", {"x": n(2)}, {"a": n(2)}),
        ({"a": n(1)}, "ADD a :x", {"x": n(-3)}, {"a": n(-2)}),
        (
            {"a": {"NS": ["1", "10"]}},
            "ADD a :x",
            {"x": {"NS": ["2", "10"]}},
            {"a": {"NS": ["1", "2", "10"]}},
        ),
        ({"a": {"SS": ["p", "q"]}}, "DELETE a :x", {"x": {"SS": ["p"]}}, {"a": {"SS": ["q"]}}),
        ({"a": {"SS": ["p"]}}, "DELETE a :x", {"x": {"SS": ["p"]}}, {}),
        ({}, "DELETE a :x", {"x": {"SS": ["p"]}}, {}),
        ({"a": n(1), "b": n(2)}, "REMOVE a SET b = a", {}, {"b": n(1)}),
    ],
)
def test_updates_do_as_the_developer_guide_says(
    item: dict[str, Any], text: str, literals: dict[str, Any], after: dict[str, Any]
) -> None:
    assert applied(item, text, **literals) == after


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The expression can not be empty;"),
        ("a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("a = ", 'Syntax error; token: "<EOF>", near: "= "'),
        ("a ! :v", 'Syntax error; token: "!", near: "a ! :v"'),
        ("name = :v", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("a = :w", "An expression attribute value used in expression is not defined; attribute"),
        ("#a = :v", "An expression attribute name used in the document path is not defined;"),
        ("a = a", "The first operand must be distinct from the remaining operands for this"),
        ("foo(a)", "Invalid function name; function: foo"),
        ("size(a)", "The function is not allowed to be used this way in an expression;"),
        ("attribute_exists(:v)", "Operator or function requires a document path; operator or"),
        ("contains(a)", "Incorrect number of operands for operator or function; operator or"),
        ("attribute_type(a, :v)", "Invalid attribute type name found; type: v, valid types:"),
        ("begins_with(a, :n)", "Incorrect operand type for operator or function; operator or"),
        ("a BETWEEN :n AND :m", "The BETWEEN operator requires upper bound to be greater than or"),
        ("a BETWEEN :n AND :v", "The BETWEEN operator requires same data type for lower and upper"),
        ("a < :l", "Incorrect operand type for operator or function; operator or function: <,"),
    ],
)
def test_a_bad_condition_is_refused_in_dynamodbs_words(text: str, reason: str) -> None:
    literals = {":v": {"S": "v"}, ":n": {"N": "5"}, ":m": {"N": "4"}, ":l": {"L": []}}
    with pytest.raises(ValidationException) as refused:
        parse_condition(text, Placeholders(None, literals))
    assert refused.value.message.startswith("Invalid ConditionExpression: " + reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SET a = :n SET b = :n", 'The "SET" section can only be used once in an update expr'),
        ("SET a = :n, a.b = :n", "Two document paths overlap with each other; must remove or"),
        ("SET a[0] = :n REMOVE a.b", "Two document paths conflict with each other; must remove"),
        ("ADD a :v", "Incorrect operand type for operator or function; operator: ADD, operand"),
        ("DELETE a :n", "Incorrect operand type for operator or function; operator: DELETE, op"),
        ("SET a = :n + :v", "Incorrect operand type for operator or function; operator or func"),
        ("SET a = size(b)", "The function is not allowed in an update expression; function: si"),
        ("UPSERT a = :n", 'Syntax error; token: "UPSERT", near: "UPSERT a"'),
    ],
)
def test_a_bad_update_is_refused_in_dynamodbs_words(text: str, reason: str) -> None:
    with pytest.raises(ValidationException) as refused:
        parse_update(text, Placeholders(None, {":v": {"S": "v"}, ":n": {"N": "5"}}))
    assert refused.value.message.startswith("Invalid UpdateExpression: " + reason)


def test_a_projection_keeps_places_and_closes_lists_up() -> None:
    item: values.Item = {
        "a": {"M": {"x": n(1), "y": n(2)}},
        "l": {"L": [n(0), n(1), {"M": {"z": n(2), "w": n(3)}}]},
        "s": {"S": "text"},
    }
    paths = parse_projection("l[2].z, a.x, l[0], s.nothing, lacking", Placeholders(None, None))
    assert project(item, paths) == {
        "a": {"M": {"x": n(1)}},
        "l": {"L": [n(0), {"M": {"z": n(2)}}]},
    }


SCHEMA = KeySchema(KeyAttribute("h", "S"), KeyAttribute("r", "N"))


@given(
    st.sampled_from(["=", "<", "<=", ">", ">=", "BETWEEN"]),
    st.integers(-20, 20),
    st.integers(0, 20),
    st.integers(-25, 25),
)
def test_a_range_of_keys_is_what_its_condition_means(
    sign: str, bound: int, more: int, key: int
) -> None:
    text = f"h = :h AND r {sign} :b" + (" AND :c" if sign == "BETWEEN" else "")
    literals = {":h": {"S": "p"}, ":b": n(bound), ":c": n(bound + more)}
    sought = key_range(parse_condition(text, Placeholders(None, literals)), SCHEMA)
    expected = {
        "=": key == bound,
        "<": key < bound,
        "<=": key <= bound,
        ">": key > bound,
        ">=": key >= bound,
        "BETWEEN": bound <= key <= bound + more,
    }
    assert sought.covers(encoded(n(key))) is expected[sign]


@given(st.text(min_size=1, max_size=3), st.text(min_size=1, max_size=4))
def test_a_range_by_prefix_has_what_begins_with_it(prefix: str, key: str) -> None:
    schema = KeySchema(KeyAttribute("h", "S"), KeyAttribute("r", "S"))
    literals = {":h": {"S": "p"}, ":b": {"S": prefix}}
    condition = parse_condition("begins_with(r, :b) AND :h = h", Placeholders(None, literals))
    sought = key_range(condition, schema)
    assert sought.covers(encoded({"S": key})) is key.startswith(prefix)
