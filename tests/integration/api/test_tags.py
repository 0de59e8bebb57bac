"""Tags of functions, as boto3 sees them."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.testing.clients import Client
from lambdad.testing.requests import FUNCTION_ARN, a_request, error_of


async def test_tags_are_set_at_creation_added_overwritten_and_removed(aws: Client) -> None:
    await aws.create_function(**a_request(Tags={"a": "1", "b": "2"}))
    answer = await aws.tag_resource(Resource=FUNCTION_ARN, Tags={"b": "3", "c d": "ü"})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    await aws.untag_resource(Resource=FUNCTION_ARN, TagKeys=["a", "absent"])
    expected = {"b": "3", "c d": "ü"}
    assert (await aws.list_tags(Resource=FUNCTION_ARN))["Tags"] == expected
    assert (await aws.get_function(FunctionName="hello"))["Tags"] == expected


@pytest.mark.parametrize(
    ("resource", "tags", "error"),
    [
        (
            FUNCTION_ARN,
            {f"k{n}": "v" for n in range(51)},
            (400, "InvalidParameterValueException", "Number of tags exceeds resource tag limit."),
        ),
        (
            FUNCTION_ARN,
            {},
            (
                400,
                "InvalidParameterValueException",
                "An error occurred and the request cannot be processed.",
            ),
        ),
        (
            f"{FUNCTION_ARN}:1",
            {"a": "b"},
            (
                400,
                "InvalidParameterValueException",
                (
                    "Tags on function aliases and versions are not supported. Please specify a "
                    "function ARN."
                ),
            ),
        ),
        (
            FUNCTION_ARN.replace("hello", "absent"),
            {"a": "b"},
            (
                404,
                "ResourceNotFoundException",
                f"Function not found: {FUNCTION_ARN.replace('hello', 'absent')}",
            ),
        ),
        (
            "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0",
            {"a": "b"},
            (
                404,
                "ResourceNotFoundException",
                (
                    "The Lambda code signing configuration arn:aws:lambda:us-east-1:000000000000:"
                    "code-signing-config:csc-0123456789abcdef0 can not be found."
                ),
            ),
        ),
    ],
)
async def test_what_cannot_be_tagged_is_refused(
    aws: Client, resource: str, tags: dict[str, str], error: tuple[int, str, str]
) -> None:
    await aws.create_function(**a_request())
    assert await error_of(aws.tag_resource(Resource=resource, Tags=tags)) == error


async def test_too_many_tags_at_creation_are_refused(aws: Client) -> None:
    call: Any = aws.create_function(**a_request(Tags={f"k{n}": "v" for n in range(51)}))
    assert await error_of(call) == (
        400,
        "InvalidParameterValueException",
        "Number of tags exceeds resource tag limit.",
    )
