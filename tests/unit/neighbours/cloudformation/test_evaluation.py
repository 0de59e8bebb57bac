"""Templates are read and evaluated: values in, values out."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.graph import dependencies, in_order, reversed_needs
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate
from lambdad.neighbours.cloudformation.parameters import resolve_parameters, shown
from lambdad.neighbours.cloudformation.template import Template, checked
from lambdad.neighbours.cloudformation.template_text import read_template

SCOPE = Scope(
    values={"AWS::Region": "eu-west-1", "Word": "w", "List": ["a", "b"], "Yes": "true"},
    mappings={"M": {"k": {"v": "found", "l": [1, 2]}}},
    conditions={
        "T": {"Fn::Equals": [{"Ref": "Word"}, "w"]},
        "F": {"Fn::Not": [{"Condition": "T"}]},
        "Loop": {"Fn::Not": [{"Condition": "Loop"}]},
    },
    reference=lambda name: f"<{name}>",
    attribute=lambda name, wanted: f"<{name}.{wanted}>",
    exported=lambda name: f"exported {name}",
)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"Ref": "Word"}, "w"),
        ({"Ref": "Thing"}, "<Thing>"),
        ({"Fn::GetAtt": ["A", "B.C"]}, "<A.B.C>"),
        ({"Fn::GetAtt": "A.B.C"}, "<A.B.C>"),
        ({"Fn::Sub": "${Word}-${!Word}-${A.Arn}-${AWS::Region}"}, "w-${Word}-<A.Arn>-eu-west-1"),
        ({"Fn::Sub": ["${x}${Word}", {"x": {"Ref": "A"}}]}, "<A>w"),
        ({"Fn::Join": ["-", [1, True, {"Ref": "Word"}]]}, "1-true-w"),
        ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b"),
        ({"Fn::Select": ["1", {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::If": ["T", 1, {"Fn::FindInMap": ["no", "no", "no"]}]}, 1),
        ([{"Fn::If": ["F", 1, {"Ref": "AWS::NoValue"}]}, 2], [2]),
        ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
        ({"Fn::And": [{"Condition": "T"}, {"Fn::Equals": [1, "1"]}]}, True),
        ({"Fn::Or": [{"Condition": "F"}, {"Condition": "F"}]}, False),
        ({"Fn::FindInMap": ["M", "k", "v"]}, "found"),
        ({"Fn::FindInMap": ["M", "k", "x", {"DefaultValue": 7}]}, 7),
        ({"Fn::ImportValue": {"Fn::Sub": "${Word}x"}}, "exported wx"),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"Fn::Cidr": ["10.0.0.0/16", "3", "8"]}, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::Length": {"Ref": "List"}}, 2),
        ({"Fn::ToJsonString": {"a": {"Ref": "Word"}}}, '{"a":"w"}'),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
    ],
)
def test_functions_give_what_the_documentation_says(value: Any, wanted: Any) -> None:
    assert evaluate(value, SCOPE) == wanted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Fn::FindInMap": ["M", "x", "v"]}, "Unable to get mapping for M::x::v"),
        ({"Fn::Select": [3, ["a"]]}, "cannot select nonexistent value at index 3"),
        ({"Fn::Join": ["a"]}, "every Fn::Join object requires two parameters"),
        ({"Fn::If": ["Loop", 1, 2]}, "circular condition dependency"),
        ({"Fn::If": ["Nope", 1, 2]}, "Unresolved condition dependency Nope"),
        ({"Fn::Nope": 1}, "Fn::Nope is not a supported function"),
        ({"Fn::Cidr": ["10.0.0.0/30", 9, 2]}, "Fn::Cidr requires"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(value: Any, text: str) -> None:
    scope = Scope(values=SCOPE.values, mappings=SCOPE.mappings, conditions=SCOPE.conditions)
    with pytest.raises(ValidationError, match=text.replace("(", r"\(")):
        evaluate(value, scope)


PLAIN = st.recursive(
    st.text(max_size=8) | st.integers(-99, 99) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_values_without_functions_stay_what_they_are(value: Any) -> None:
    assert evaluate(value, SCOPE) == value
    assert json.loads(evaluate({"Fn::ToJsonString": value}, SCOPE)) == value


@given(st.lists(st.text("abc/", max_size=5), min_size=1, max_size=6))
def test_join_and_split_are_each_others_opposite(parts: list[str]) -> None:
    joined = {"Fn::Join": ["|", parts]}
    assert evaluate({"Fn::Split": ["|", joined]}, SCOPE) == parts


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=5), PLAIN, min_size=1, max_size=5))
def test_yaml_and_json_say_the_same(document: dict[str, Any]) -> None:
    assert read_template(json.dumps(document)) == document
    assert read_template(yaml.safe_dump(document)) == document


def test_short_forms_are_made_long() -> None:
    text = (
        "a: !Ref X\nb: !GetAtt X.Y.Z\nc: !Join [',', [!Sub '${X}', !If [C, 1, 2]]]\nd: 2012-10-17"
    )
    assert read_template(text) == {
        "a": {"Ref": "X"},
        "b": {"Fn::GetAtt": ["X", "Y.Z"]},
        "c": {"Fn::Join": [",", [{"Fn::Sub": "${X}"}, {"Fn::If": ["C", 1, 2]}]]},
        "d": "2012-10-17",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: [*x, *x]", "YAML aliases are not allowed"),
        ("a: " + "[" * 5_000 + "]" * 5_000, "nests deeper"),
        ('{"a": ' + "[" * 5_000 + "]" * 5_000 + "}", "nests deeper"),
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        ("a: 1\na: 2", "duplicate key 'a'"),
        ('{"a": ]', "JSON not well-formed"),
        ("- a", "unsupported structure"),
        ("a: 1\n---\nb: 2", "unsupported structure"),
    ],
)
def test_texts_that_are_no_templates_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read_template(text)


@given(st.text(max_size=60))
def test_no_text_makes_more_than_a_refusal(text: str) -> None:
    with suppress(ValidationError):
        assert isinstance(read_template(text), dict)


def test_a_parameter_keeps_its_constraints() -> None:
    template = Template(
        {
            "Parameters": {
                "N": {"Type": "Number", "MinValue": 2, "Default": 3},
                "L": {"Type": "CommaDelimitedList", "Default": "a, b"},
                "S": {"Type": "String", "NoEcho": True, "AllowedPattern": "[a-z]+"},
                "P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"},
            }
        }
    )

    def resolve(**given: str) -> tuple[dict[str, str], dict[str, Any]]:
        return resolve_parameters(template, given, stored=lambda name: f"value of {name}")

    texts, values = resolve(S="abc")
    assert values == {"N": "3", "L": ["a", "b"], "S": "abc", "P": "value of /x"}
    assert shown(template, texts) == {"N": "3", "L": "a, b", "S": "****", "P": "/x"}
    for given_, message in (
        ({}, r"Parameters: \[S\] must have values"),
        ({"S": "a", "X": "1"}, r"Parameters: \[X\] do not exist in the template"),
        ({"S": "A"}, r"Parameter 'S' must match pattern \[a-z\]\+"),
        ({"S": "a", "N": "1"}, "Parameter 'N' must be a number not less than 2"),
        ({"S": "a", "N": "x"}, "Parameter 'N' must be a number"),
    ):
        with pytest.raises(ValidationError, match=message):
            resolve(**given_)


@given(st.data())
def test_an_order_has_each_after_what_it_needs(data: st.DataObject) -> None:
    names = [f"R{number}" for number in range(data.draw(st.integers(1, 9)))]
    resources = {
        name: {
            "Properties": {
                "x": [{"Ref": each} for each in names[:index] if data.draw(st.booleans())]
            }
        }
        for index, name in enumerate(names)
    }
    needs = dependencies(resources)
    order = in_order(needs)
    assert sorted(order) == sorted(names)
    place = {name: index for index, name in enumerate(order)}
    assert all(place[each] < place[name] for name, wanted in needs.items() for each in wanted)
    back = reversed_needs(needs)
    assert all(name in back[each] for name, wanted in needs.items() for each in wanted)


def test_nulls_are_named_by_their_place() -> None:
    document = {"Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {"x": [None]}}}}
    with pytest.raises(ValidationError, match=r"\[/Resources/A/Properties/x/0\] 'null' values"):
        checked(document)
