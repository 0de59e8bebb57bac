"""Credentials of functions: their own, changed ones and stolen ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lambdad.testing.deploy import ROLE, Deployer
from lambdad.testing.firing_range import Range
from lambdad.testing.role_calls import RoleCaller

pytestmark = [pytest.mark.slow]

OTHER = "999988887777"
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@pytest.fixture(scope="module")
def caller(made: Range) -> RoleCaller:
    made.deployed.add("caller")
    return RoleCaller(made.user)


def outside(target: Range, service: str, credentials: Mapping[str, str]) -> Any:
    """A client outside of any sandbox, with credentials that were carried out."""
    key, secret, token = (credentials[name] for name in NAMES)
    return boto3.client(
        service,
        endpoint_url=target.daemon.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"max_attempts": 0}),
    )


def code_of(call: Callable[..., Any], **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])


def test_a_function_is_a_session_of_its_role(caller: RoleCaller) -> None:
    answer = caller.call("sts", "get_caller_identity")
    assert answer["Arn"] == "arn:aws:sts::000000000000:assumed-role/r/caller"
    assert answer["Account"] == "000000000000"
    assert answer["UserId"].startswith("AROA")


def test_a_function_calls_functions_of_its_account(caller: RoleCaller) -> None:
    answer = caller.call("lambda", "invoke", {"FunctionName": "bystander", "Payload": "{}"})
    assert answer["StatusCode"] == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "guessed"}, "SignatureDoesNotMatch"),
        ({"AWS_SESSION_TOKEN": ""}, "InvalidClientTokenId"),
        ({"AWS_SESSION_TOKEN": "lambdad1.e30.AAAA"}, "InvalidClientTokenId"),
        ({"AWS_ACCESS_KEY_ID": "ASIAAAAAAAAAAAAAAAAA"}, "InvalidClientTokenId"),
    ],
)
def test_changed_credentials_are_refused(
    caller: RoleCaller, changes: Mapping[str, str], code: str
) -> None:
    assert caller.call("sts", "get_caller_identity", changes=changes)["code"] == code


def test_a_token_cannot_be_rewritten_to_another_account(caller: RoleCaller) -> None:
    own = caller.credentials()
    version, body, seal = own["AWS_SESSION_TOKEN"].split(".")
    for forged in (f"{version}.{body[:-2]}AA.{seal}", f"{version}.{body}.{seal[:-4]}AAAA"):
        changes = {"AWS_SESSION_TOKEN": forged}
        refused = caller.call("sts", "get_caller_identity", changes=changes)
        assert refused["code"] == "InvalidClientTokenId"


def test_another_account_must_allow_the_role(target: Range, caller: RoleCaller) -> None:
    owner = Deployer(target.daemon.endpoint_url, account_id=OTHER)
    owner.deploy("vault", "def handler(event, context): return 'opened'", Role=ROLE)
    arn = f"arn:aws:lambda:us-east-1:{OTHER}:function:vault"
    try:
        refused = caller.call("lambda", "invoke", {"FunctionName": arn})
        assert refused["code"] == "AccessDeniedException"
        assert refused["text"] == (
            "User: arn:aws:sts::000000000000:assumed-role/r/caller is not authorized to perform: "
            f"lambda:InvokeFunction on resource: {arn} because no resource-based policy allows "
            "the lambda:InvokeFunction action"
        )
        assume = {"RoleArn": f"arn:aws:iam::{OTHER}:role/admin", "RoleSessionName": "up"}
        assert caller.call("sts", "assume_role", assume)["code"] == "AccessDenied"
        owner.lambda_.add_permission(
            FunctionName="vault",
            StatementId="role",
            Action="lambda:InvokeFunction",
            Principal=ROLE,
        )
        assert json.loads(caller.call("lambda", "invoke", {"FunctionName": arn})["Payload"]) == (
            "opened"
        )
    finally:
        owner.lambda_.delete_function(FunctionName="vault")


def test_credentials_of_an_environment_that_ended_are_worth_nothing(target: Range) -> None:
    gone = RoleCaller(target.user, "gone")
    stolen = gone.credentials()
    assert outside(target, "sts", stolen).get_caller_identity()["Arn"].endswith("/r/gone")
    target.user.lambda_.delete_function(FunctionName="gone")
    target.settle(idle=None)
    assert code_of(outside(target, "sts", stolen).get_caller_identity) == "ExpiredToken"
    assert code_of(outside(target, "lambda", stolen).list_functions) == "ExpiredTokenException"
