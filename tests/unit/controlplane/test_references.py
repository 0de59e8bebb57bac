"""How a caller may name a function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.controlplane.references import resolve
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import ServiceException

HERE = {"account_id": "111122223333", "region": "eu-west-1", "action": "GetFunction"}
KEY = FunctionKey(account_id="111122223333", region="eu-west-1", name="hello")

NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
QUALIFIERS = st.none() | st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True) | st.just("$LATEST")


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "function:hello",
        "111122223333:function:hello",
        "arn:aws:lambda:eu-west-1:111122223333:function:hello",
    ],
)
def test_every_spelling_names_the_same_function(text: str) -> None:
    target = resolve(text, **HERE)
    assert (target.key, target.qualifier) == (KEY, None)
    assert resolve(f"{text}:live", **HERE).qualifier == "live"
    assert resolve(text, "$LATEST", **HERE).arn == KEY.arn("$LATEST")


@given(name=NAMES.filter(lambda name: name != "function"), qualifier=QUALIFIERS)
def test_an_arn_resolves_to_what_it_was_made_from(name: str, qualifier: str | None) -> None:
    key = FunctionKey(account_id="111122223333", region="eu-west-1", name=name)
    target = resolve(key.arn(qualifier), **HERE)
    assert (target.key, target.qualifier) == (key, qualifier)


@pytest.mark.parametrize(
    ("text", "qualifier", "code", "message"),
    [
        (
            "hello:1",
            "2",
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        ),
        (
            "arn:aws:lambda:us-east-1:111122223333:function:hello",
            None,
            "ResourceNotFoundException",
            "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')",
        ),
        (
            "arn:aws:lambda:eu-west-1:999999999999:function:hello",
            None,
            "AccessDeniedException",
            (
                "User: arn:aws:iam::111122223333:root is not authorized to perform: "
                "lambda:GetFunction on resource: arn:aws:lambda:eu-west-1:999999999999:function:"
                "hello because no resource-based policy allows the lambda:GetFunction action"
            ),
        ),
        (
            "x" * 65,
            None,
            "InvalidParameterValueException",
            (
                f"1 validation error detected: Value '{'x' * 65}' at 'functionName' failed to "
                "satisfy constraint: Member must have length less than or equal to 64"
            ),
        ),
        (
            "a/b",
            None,
            "ValidationException",
            (
                "1 validation error detected: Value 'a/b' at 'functionName' failed to satisfy "
                "constraint: Member must be a function name, a partial ARN or a function ARN"
            ),
        ),
    ],
)
def test_what_names_no_function_here_is_refused(
    text: str, qualifier: str | None, code: str, message: str
) -> None:
    with pytest.raises(ServiceException) as caught:
        resolve(text, qualifier, **HERE)
    assert (caught.value.code, caught.value.message) == (code, message)
