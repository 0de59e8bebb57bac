"""Which service and operation a request reaches, and what the others are told."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from lambdad.api.lambda_ import LAMBDA
from lambdad.protocol.http import HttpRequest
from lambdad.testing.clients import BASE_URL
from lambdad.testing.requests import ROLE_ARN, UUID, a_request, error_of


async def test_sts_names_the_account_of_the_access_key(endpoint: Any) -> None:
    for access_key, account in (("test", "000000000000"), ("111122223333", "111122223333")):
        answer = await endpoint.client("sts", access_key=access_key).get_caller_identity()
        assert answer["Account"] == account
        assert answer["Arn"] == f"arn:aws:iam::{account}:root"


async def test_an_assumed_role_leads_to_its_account(endpoint: Any) -> None:
    endpoint.clock.set_to(time.time())  # botocore signs with the host's
    answer = await endpoint.client("sts").assume_role(
        RoleArn="arn:aws:iam::111122223333:role/path/deploy", RoleSessionName="ci"
    )
    assert answer["AssumedRoleUser"]["Arn"] == ("arn:aws:sts::111122223333:assumed-role/deploy/ci")
    given = answer["Credentials"]
    assert given["Expiration"] == endpoint.clock.now().replace(microsecond=0) + timedelta(hours=1)
    assumed = endpoint.client("sts", credentials=given)
    identity = await assumed.get_caller_identity()
    assert identity["Account"] == "111122223333"
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


async def test_credentials_of_sts_are_checked_when_they_come_back(endpoint: Any) -> None:
    endpoint.clock.set_to(time.time())
    sts = endpoint.client("sts")
    given = (await sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="ci"))["Credentials"]
    forged = endpoint.client("sts", credentials={**given, "SecretAccessKey": "guessed"})
    status, code, text = await error_of(forged.get_caller_identity())
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert text.startswith("The request signature we calculated does not match the signature")
    endpoint.clock.advance(3_601)
    expired = endpoint.client("sts", credentials=given)
    assert await error_of(expired.get_caller_identity()) == (
        403,
        "ExpiredToken",
        "The security token included in the request is expired",
    )


async def test_a_role_leads_to_no_other_account_and_no_further_session(endpoint: Any) -> None:
    endpoint.clock.set_to(time.time())
    sts = endpoint.client("sts")
    given = (await sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="ci"))["Credentials"]
    role = endpoint.client("sts", credentials=given)
    other = "arn:aws:iam::111122223333:role/admin"
    denied = f"sts:AssumeRole on resource: {other}"
    assert await error_of(role.assume_role(RoleArn=other, RoleSessionName="up")) == (
        403,
        "AccessDenied",
        "User: arn:aws:sts::000000000000:assumed-role/r/ci is not authorized to perform: " + denied,
    )
    assert await error_of(role.get_session_token()) == (
        403,
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )


@pytest.mark.parametrize(
    ("service", "operation", "params", "message"),
    [
        (
            "lambda",
            "list_capacity_providers",
            {},
            "lambda:ListCapacityProviders is not implemented by lambdad yet.",
        ),
        (
            "sts",
            "get_federation_token",
            {"Name": "nn"},
            "sts:GetFederationToken is not implemented by lambdad yet.",
        ),
        (
            "dynamodb",
            "list_tables",
            {},
            "dynamodb:ListTables is not implemented by lambdad: it does not serve dynamodb.",
        ),
        (
            "iam",
            "list_roles",
            {},
            "iam:ListRoles is not implemented by lambdad: it does not serve iam.",
        ),
        (
            "ec2",
            "describe_vpcs",
            {},
            "ec2:DescribeVpcs is not implemented by lambdad: it does not serve ec2.",
        ),
        ("s3", "list_buckets", {}, "s3 is not implemented by lambdad: it does not serve s3."),
        (
            "apigateway",
            "get_rest_apis",
            {},
            "apigateway is not implemented by lambdad: it does not serve apigateway.",
        ),
    ],
)
async def test_what_is_not_served_answers_an_error_that_clients_read_and_do_not_repeat(
    endpoint: Any, service: str, operation: str, params: dict[str, Any], message: str
) -> None:
    client = endpoint.client(service)
    with_status = await error_of(getattr(client, operation)(**params))
    assert with_status == (400, "NotImplementedException", message)
    assert len(client.responses) == 1


async def test_an_unsigned_request_for_lambda_is_served(endpoint: Any) -> None:
    await endpoint.client().create_function(**a_request())
    response = await endpoint.app.handle(
        HttpRequest(method="GET", path="/2015-03-31/functions/hello"), base_url=BASE_URL
    )
    assert response.status == 200
    assert json.loads(response.body)["Configuration"]["FunctionName"] == "hello"


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest(method="GET", path="/"),
        HttpRequest(method="GET", path="/favicon.ico"),
        HttpRequest(method="POST", path="/", headers={"x-amz-target": "x"}),
        HttpRequest(method="POST", path="/", headers={"x-amz-target": "."}),
        HttpRequest(method="POST", path="/", query="Action=<script>&Version=1"),
        HttpRequest(method="GET", path="/2015-03-31/functions/a/b/c/d"),
        HttpRequest(method="PATCH", path="/2015-03-31/functions"),
        HttpRequest(method="POST", path="/2015-03-31/functions", body=b"{"),
        HttpRequest(method="POST", path="/2015-03-31/functions", body=b"[]"),
        HttpRequest(method="POST", path="/2015-03-31/functions", body=b'{"Runtime": 1}'),
        HttpRequest(
            method="POST",
            path="/2015-03-31/functions",
            body=b'{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{},'
            b'"Runtime":["x"],"Handler":"h"}',
        ),
        HttpRequest(method="GET", path="/2015-03-31/functions/%ff%00"),
        HttpRequest(method="GET", path="/2015-03-31/functions", query="MaxItems=x"),
        HttpRequest(method="GET", path="/2015-03-31/functions", query="MaxItems=0"),
        HttpRequest(
            method="POST", path="/", headers={"authorization": "AWS4-HMAC-SHA256 Credential=x"}
        ),
    ],
    ids=str,
)
async def test_bad_requests_get_a_4xx_with_a_request_id_and_no_html(
    endpoint: Any, request_: HttpRequest
) -> None:
    response = await endpoint.app.handle(request_, base_url=BASE_URL)
    assert 400 <= response.status < 500
    assert UUID.fullmatch(response.headers["x-amzn-RequestId"])
    assert response.headers["Content-Type"] in ("application/json", "text/xml") or (
        response.headers["Content-Type"].startswith("application/x-amz-json")
    )
    assert b"Traceback" not in response.body
    assert b"<script" not in response.body


async def test_every_served_operation_is_in_the_model_and_the_rest_is_known() -> None:
    served, missing = set(LAMBDA.served()), set(LAMBDA.missing())
    assert served | missing == set(LAMBDA.model.operation_names)
    assert not served & missing
    assert {"CreateFunction", "Invoke", "DeleteFunction"} <= served
