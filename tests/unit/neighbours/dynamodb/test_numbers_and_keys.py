"""Numbers are exact and keys lie in the order of their values."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.neighbours.dynamodb import numbers, values
from lambdad.neighbours.dynamodb.errors import ValidationException
from lambdad.neighbours.dynamodb.keys import encoded

DECIMALS = st.builds(
    lambda digits, exponent, negative: Decimal((int(negative), digits, exponent)),
    st.lists(st.integers(0, 9), min_size=1, max_size=38).map(tuple),
    st.integers(-92, 88),
    st.booleans(),
)


@given(DECIMALS)
def test_a_number_keeps_its_value_in_canonical_form(number: Decimal) -> None:
    text = numbers.canonical(str(number))
    assert Decimal(text) == number
    assert "E" not in text
    assert numbers.canonical(text) == text


@given(DECIMALS, DECIMALS)
def test_equal_numbers_have_one_form_and_the_bytes_of_others_order_as_they_do(
    left: Decimal, right: Decimal
) -> None:
    one, other = numbers.canonical(str(left)), numbers.canonical(str(right))
    assert (one == other) is (left == right)
    assert (numbers.ordered(one) < numbers.ordered(other)) is (left < right)


@given(st.text(), st.text())
def test_bytes_of_texts_order_by_code_points(left: str, right: str) -> None:
    assert (encoded({"S": left}) < encoded({"S": right})) is (left < right)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1.50", "1.5"),
        ("007", "7"),
        ("-0", "0"),
        ("+3", "3"),
        ("1e3", "1000"),
        (".5", "0.5"),
        ("1E-3", "0.001"),
        ("9" * 38, "9" * 38),
        ("1" + "0" * 60, "1" + "0" * 60),
    ],
)
def test_a_number_is_written_as_dynamodb_writes_it(text: str, canonical: str) -> None:
    assert numbers.canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The parameter cannot be converted to a numeric value"),
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        ("NaN", "The parameter cannot be converted to a numeric value: NaN"),
        ("1e126", "Number overflow."),
        ("1e-131", "Number underflow."),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
    ],
)
def test_what_is_no_number_of_dynamodbs_is_refused_in_its_words(text: str, reason: str) -> None:
    with pytest.raises(ValidationException) as refused:
        numbers.canonical(text)
    assert refused.value.message.startswith(reason)


@given(DECIMALS, DECIMALS)
def test_sums_are_exact_or_refused(left: Decimal, right: Decimal) -> None:
    exact = Fraction(left) + Fraction(right)
    try:
        found = numbers.add(str(left), str(right))
    except ValidationException:
        return
    assert Fraction(Decimal(found)) == exact


SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=5)),
    st.builds(lambda number: {"N": str(number)}, st.integers()),
    st.builds(lambda content: {"B": content}, st.binary(max_size=5)),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": sorted(texts)}, st.sets(st.text(max_size=2), min_size=1)),
    st.builds(lambda parts: {"BS": sorted(parts)}, st.sets(st.binary(max_size=2), min_size=1)),
)
NAMES = st.sampled_from(["B", "BS", "S", "M", "L", "a", "N"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda each: {"L": each}, st.lists(inner, max_size=3)),
        st.builds(lambda each: {"M": each}, st.dictionaries(NAMES, inner, max_size=3)),
    ),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_an_item_is_read_back_as_it_was_stored_whatever_its_attributes_are_called(
    item: values.Item,
) -> None:
    assert values.load(values.dump(item)) == item


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "Supplied AttributeValue is empty, must contain exactly one of"),
        ({"S": "a", "N": "1"}, "Supplied AttributeValue has more than one datatypes set"),
        ({"SS": []}, "One or more parameter values were invalid: An string set  may not be empty"),
        ({"SS": ["a", "a"]}, "One or more parameter values were invalid: Input collection [a, a]"),
        ({"NS": ["1", "1.0"]}, "One or more parameter values were invalid: Input collection"),
        ({"NULL": False}, "One or more parameter values were invalid: Null attribute value"),
    ],
)
def test_what_is_no_value_is_refused(value: values.Value, reason: str) -> None:
    with pytest.raises(ValidationException) as refused:
        values.read(value)
    assert refused.value.message.startswith(reason)


def test_values_nest_32_levels_deep_and_no_deeper() -> None:
    value: values.Value = {"S": "x"}
    for _ in range(32):
        value = {"L": [value]}
    values.read(value)
    with pytest.raises(ValidationException, match="Nesting Levels have exceeded supported limits"):
        values.read({"L": [value]})
