"""What loops, extensions, macros and rules make of a template, and what they refuse to."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.extensions import extended
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate
from lambdad.neighbours.cloudformation.macros import Macros
from lambdad.neighbours.cloudformation.rules import check_rules
from lambdad.neighbours.cloudformation.scopes import base_scope, chosen
from lambdad.neighbours.cloudformation.template import Template, checked
from lambdad.neighbours.cloudformation.template_text import read_template
from lambdad.neighbours.cloudformation.transforms import transformed

VALUES = {"Names": ["A", "b-c"], "Stage": "prod", "AWS::Region": "eu-west-1"}
QUEUE = {"Type": "AWS::SQS::Queue"}


class Calls:
    """S3 and Lambda: what they hold, and what they were asked."""

    region, account_id = "eu-west-1", "123456789012"

    def __init__(self, objects: dict[str, str], answer: Any = None) -> None:
        self._objects = objects
        self._answer = answer
        self.requests: list[dict[str, Any]] = []

    def call(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if service == "s3":
            text = self._objects[f"{params['Bucket']}/{params['Key']}"].encode()
            return {"ContentLength": len(text), "Body": io.BytesIO(text)}
        request = json.loads(params["Payload"])
        self.requests.append(request)
        answer = {"requestId": request["requestId"], "status": "success", **self._answer(request)}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def loops(body: Any, section: str = "Resources") -> Any:
    return extended({section: body, "Parameters": {"Names": {}}}, VALUES)[section]


def applied(document: dict[str, Any], calls: Any, **functions: str) -> Any:
    macros = Macros(calls, functions, VALUES, {})
    return transformed(Template(document), VALUES, macros, region="eu-west-1")


def test_a_loop_stands_there_once_for_each_item() -> None:
    found = loops(
        {
            "Fn::ForEach::Queues": [
                "Name",
                {"Ref": "Names"},
                {
                    "Queue&{Name}": {
                        **QUEUE,
                        "Properties": {"QueueName": {"Ref": "Name"}, "Tags": ["${Name}-${!Name}"]},
                    }
                },
            ],
            "Other": QUEUE,
        }
    )
    assert found == {
        "QueueA": {**QUEUE, "Properties": {"QueueName": "A", "Tags": ["A-${!Name}"]}},
        "Queuebc": {**QUEUE, "Properties": {"QueueName": "b-c", "Tags": ["b-c-${!Name}"]}},
        "Other": QUEUE,
    }


def test_loops_in_loops_and_in_properties_are_unrolled() -> None:
    inner = {"Fn::ForEach::Y": ["Y", ["1", "2"], {"${X}${Y}": {"Ref": "Y"}}]}
    found = loops({"Fn::ForEach::X": ["X", ["a", "b"], {"R${X}": {"Properties": inner}}]})
    assert found == {
        "Ra": {"Properties": {"a1": "1", "a2": "2"}},
        "Rb": {"Properties": {"b1": "1", "b2": "2"}},
    }
    assert loops({"Fn::ForEach::X": ["X", ["a"], {"Is${X}": True}]}, "Conditions") == {"Isa": True}


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ({"Fn::ForEach::X": ["X", ["a"]]}, "Fn::ForEach layout is incorrect"),
        ({"Fn::ForEach::X": "X"}, "Fn::ForEach layout is incorrect"),
        ({"Fn::ForEach::X": ["X", ["a", "b"], {"Same": 1}]}, "makes Same more than once"),
        ({"Fn::ForEach::X": ["Names", ["a"], {"R${Names}": 1}]}, "no name of a parameter"),
        ({"Fn::ForEach::X": ["X", {"Fn::GetAtt": ["A", "B"]}, {"R${X}": 1}]}, "Unresolved"),
    ],
)
def test_a_loop_of_the_wrong_form_is_refused(loop: Any, message: str) -> None:
    with pytest.raises(ValidationError, match="^T.*" + message):
        loops(loop)


def test_loops_in_loops_make_no_more_than_a_template_may_be() -> None:
    body: Any = {"R${A}x${B}x${C}x${D}x${E}": QUEUE}
    for name in "EDCBA":
        body = {f"Fn::ForEach::L{name}": [name, [str(each) for each in range(100)], body]}
    with pytest.raises(ValidationError, match="larger than 1000000 bytes"):
        loops(body)
    with pytest.raises(ValidationError, match="nest deeper than 5 levels"):
        loops({"Fn::ForEach::LF": ["F", ["a"], {"Fn::ForEach::LG": ["G", ["a"], body]}]})


def test_a_policy_of_deletion_may_depend_on_parameters() -> None:
    keep = {"Fn::If": ["Lasting", "Retain", "Delete"]}
    document = {
        "Transform": "AWS::LanguageExtensions",
        "Conditions": {"Lasting": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
        "Resources": {"Q": {**QUEUE, "DeletionPolicy": keep}},
    }
    found = applied(document, Calls({}))
    assert found["Resources"]["Q"]["DeletionPolicy"] == "Retain"
    del document["Transform"]
    with pytest.raises(ValidationError, match="Every DeletionPolicy member must be a string"):
        checked(document)


def test_a_part_is_included_from_s3() -> None:
    location = {"Fn::Sub": "s3://bucket/${Stage}.yaml"}
    include = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": location}}}
    calls = Calls({"bucket/prod.yaml": "DelaySeconds: 3\nQueueName: !Ref Stage"})
    document = {"Resources": {"Q": {**QUEUE, "Properties": {"FifoQueue": "true", **include}}}}
    assert applied(document, calls)["Resources"]["Q"]["Properties"] == {
        "FifoQueue": "true",
        "DelaySeconds": 3,
        "QueueName": {"Ref": "Stage"},
    }
    top = {"Transform": [include["Fn::Transform"]], "Resources": {"Q": QUEUE}}
    calls = Calls({"bucket/prod.yaml": "Description: included"})
    assert applied(top, calls) == {"Resources": {"Q": QUEUE}, "Description": "included"}


def test_what_is_included_includes_nothing_itself() -> None:
    again = "Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://bucket/a}}"
    calls = Calls({"bucket/a": again})
    document = {
        "Resources": {
            "Q": {
                **QUEUE,
                "Properties": json.loads(
                    '{"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/a"}}}'
                ),
            }
        }
    }
    with pytest.raises(ValidationError, match="Encountered unsupported function: Fn::Transform"):
        checked(applied(document, calls))


def test_a_macro_gets_its_fragment_and_gives_another() -> None:
    calls = Calls({}, lambda request: {"fragment": {**request["fragment"], "DelaySeconds": 9}})
    asked = {"Fn::Transform": {"Name": "Slow", "Parameters": {"By": {"Ref": "Stage"}}}}
    document = {"Resources": {"Q": {**QUEUE, "Properties": {"QueueName": "q", **asked}}}}
    found = applied(document, calls, Slow="function")
    assert found["Resources"]["Q"]["Properties"] == {"QueueName": "q", "DelaySeconds": 9}
    [request] = calls.requests
    assert request["fragment"] == {"QueueName": "q"}
    assert request["params"] == {"By": "prod"}
    assert request["transformId"] == "123456789012::Slow"
    assert request["templateParameterValues"] == {"Names": ["A", "b-c"], "Stage": "prod"}
    whole = {"Transform": ["Slow"], "Resources": {"Q": QUEUE}}
    assert applied(whole, calls, Slow="function")["DelaySeconds"] == 9


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": "failure", "errorMessage": "no"}, "Transform M failed with: no."),
        ({"requestId": "other"}, "requestId is not that of the request"),
        ({"fragment": [1]}, "the fragment is not an object"),
        ({"fragment": {"a": json.loads("[" * 200 + "]" * 200)}}, "nests deeper than 100"),
    ],
)
def test_a_macro_that_fails_fails_the_template(answer: Any, message: str) -> None:
    document = {"Transform": "M", "Resources": {"Q": QUEUE}}
    with pytest.raises(ValidationError, match=message):
        applied(document, Calls({}, lambda _: answer), M="function")
    with pytest.raises(ValidationError, match="No transform named M found"):
        applied(document, Calls({}))


def test_a_rule_speaks_against_parameters() -> None:
    rule = {
        "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "Assertions": [
            {
                "Assert": {"Fn::Contains": [["x"], {"Ref": "Stage"}]},
                "AssertDescription": "Only x.",
            }
        ],
    }
    with pytest.raises(ValidationError, match="Rule R was not met by the parameters"):
        check_rules({"R": rule}, Scope(values={"Stage": "prod"}))
    check_rules({"R": rule}, Scope(values={"Stage": "dev"}))


WHOLE: Any = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Description": "d",
    "Transform": ["AWS::LanguageExtensions"],
    "Parameters": {
        "P": {
            "Type": "String",
            "Default": "x",
            "AllowedValues": ["x"],
            "AllowedPattern": "x",
            "MinLength": "1",
            "MaxLength": 2,
            "NoEcho": False,
        },
        "N": {"Type": "List<Number>", "Default": "3,4", "MinValue": 1, "MaxValue": "9"},
    },
    "Mappings": {"M": {"a": {"b": "c"}}},
    "Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, "x"]}},
    "Rules": {"R": {"Assertions": [{"Assert": {"Fn::Equals": ["a", "a"]}}]}},
    "Resources": {
        "Q": {
            "Type": "AWS::SQS::Queue",
            "Condition": "C",
            "DependsOn": ["T"],
            "DeletionPolicy": "Retain",
            "Properties": {"QueueName": {"Fn::Sub": ["${P}${x}", {"x": {"Ref": "P"}}]}},
        },
        "T": {"Type": "AWS::SNS::Topic"},
        "Fn::ForEach::L": ["X", ["a", "b"], {"T${X}": {"Type": "AWS::SNS::Topic"}}],
    },
    "Outputs": {"O": {"Value": {"Ref": "T"}, "Condition": "C", "Export": {"Name": "n"}}},
}
ODD: Any = (
    [None, True, 0, 1.5, "", "x", [], ["x"], [[]], [{}], {}, {"Ref": []}, {"Fn::GetAtt": {}},
     {"x": 1}, {"Fn::If": []}, {"Ref": "Q"}, {"Fn::Transform": []}, {"Name": 3}]
)  # fmt: skip


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(each for key, inner in pairs for each in _paths(inner, (*path, key)))]


def _changed(path: tuple[Any, ...], odd: Any, *, added: bool) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(WHOLE))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if added and isinstance(place[path[-1]], dict):
        place[path[-1]]["Odd"] = odd
    else:
        place[path[-1]] = odd
    return document


@pytest.mark.parametrize("path", _paths(WHOLE)[1:], ids=lambda path: "/".join(map(str, path)))
def test_any_part_may_be_anything_and_the_template_is_taken_or_refused(
    path: tuple[Any, ...],
) -> None:
    """Whatever stands where: an answer in CloudFormation's words, never a failure of ours."""
    for odd in ODD:
        for added in (False, True):
            try:
                plan = planned(_changed(path, odd, added=added))
                scope = base_scope(plan, {})
                scope.reference, scope.attribute = str, lambda name, _: name
                for each in chosen(plan, scope).values():
                    evaluate(each.get("Properties") or {}, scope)
            except ValidationError:
                continue
            except Exception as error:
                raise AssertionError(f"{path} {odd} {added}") from error


def planned(document: dict[str, Any]) -> Any:
    from lambdad.neighbours.cloudformation.model import Plan, Stack  # noqa: PLC0415
    from lambdad.neighbours.cloudformation.planning import make_plan  # noqa: PLC0415

    stack = Stack(
        id="arn:aws:cloudformation:eu-west-1:1:stack/s/1",
        name="s",
        account_id="1",
        region="eu-west-1",
        status="",
        created_ms=0,
        plan=Plan(text="", document={}),
    )
    params = {"Capabilities": ["CAPABILITY_AUTO_EXPAND"]}
    calls: Any = Calls({})
    return make_plan(json.dumps(document), params, stack, calls, exports={}, macros={})


def test_the_whole_template_is_taken_as_it_is() -> None:
    assert sorted(planned(WHOLE).document["Resources"]) == ["Q", "T", "Ta", "Tb"]
    assert read_template(planned(WHOLE).text) == WHOLE
