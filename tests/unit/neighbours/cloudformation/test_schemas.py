"""Properties that a type does not have, or that have another form."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.neighbours.cloudformation.schemas import problem_of

QUEUE, FUNCTION = "AWS::SQS::Queue", "AWS::Lambda::Function"
CODE = {"Code": {"ZipFile": "x"}, "Role": "r"}


@pytest.mark.parametrize(
    ("name", "properties", "problem"),
    [
        (QUEUE, {"Color": 1}, "Encountered unsupported property Color"),
        (QUEUE, {"Arn": "a"}, "Encountered unsupported property Arn"),
        (QUEUE, {"QueueName": ["a"]}, "Value of property QueueName must be of type String"),
        (QUEUE, {"DelaySeconds": "x"}, "Value of property DelaySeconds must be of type Integer"),
        (QUEUE, {"FifoQueue": "maybe"}, "Value of property FifoQueue must be of type Boolean"),
        (QUEUE, {"Tags": {"a": "b"}}, "Value of property Tags must be of type List"),
        (FUNCTION, {"Code": {}}, "Property Role cannot be empty."),
        (FUNCTION, {"Code": "x", "Role": "r"}, "Value of property Code must be an object"),
        (
            FUNCTION,
            {"Code": {"ZipFle": "x"}, "Role": "r"},
            "Encountered unsupported property ZipFle",
        ),
        (
            FUNCTION,
            {**CODE, "Layers": "a"},
            "Value of property Layers must be of type List of String",
        ),
    ],
)
def test_a_wrong_property_is_named(name: str, properties: Any, problem: str) -> None:
    assert problem_of(name, properties) == problem


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        (QUEUE, {"DelaySeconds": "3", "RedrivePolicy": {"maxReceiveCount": "1"}}),
        (QUEUE, {"QueueName": 7}),
        (FUNCTION, {**CODE, "Timeout": "3", "Environment": {"Variables": {"A": 1}}}),
        ("AWS::IAM::ManagedPolicy", {"PolicyDocument": '{"Statement": []}'}),
        ("AWS::S3::Bucket", {"NotificationConfiguration": {"EventBridgeConfiguration": {}}}),
        ("Company::Own::Type", {"Any": "thing"}),
    ],
)
def test_what_has_the_right_form_passes_whatever_its_value(name: str, properties: Any) -> None:
    assert problem_of(name, properties) is None
