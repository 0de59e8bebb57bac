"""No operation of AWS's model is unknown here: it works or says in AWS's form why it does not."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel, Shape

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MODEL = botocore.session.get_session().get_service_model("lambda")

# Values for members whose pattern a guess would not match.
KNOWN = {
    "FunctionName": "operations",
    "Qualifier": "$LATEST",
    "Role": "arn:aws:iam::000000000000:role/r",
    "Arn": "arn:aws:lambda:us-east-1:000000000000:layer:l:1",
    "Resource": "arn:aws:lambda:us-east-1:000000000000:function:operations",
    "CodeSigningConfigArn": (
        "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"
    ),
    "Runtime": "python3.12",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
    "FunctionVersion": "1",
    "UUID": "01234567-89ab-4def-8123-456789abcdef",
    "DurableExecutionArn": (
        "arn:aws:lambda:us-east-1:000000000000:function:operations:$LATEST/durable-execution/"
        "name/01234567-89ab-4def-8123-456789abcdef"
    ),
}


def a_value(name: str, shape: Shape) -> Any:
    """The smallest value that a shape takes, required members only."""
    if name in KNOWN and shape.type_name == "string":
        return KNOWN[name]
    if shape.type_name == "structure":
        return {key: a_value(key, shape.members[key]) for key in shape.required_members}
    if shape.type_name == "list":
        return [a_value(name, shape.member)] * max(1, shape.metadata.get("min", 0))
    if shape.type_name == "map":
        return {"key": a_value("value", shape.value)}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "x" * max(1, shape.metadata.get("min", 0))
    low = max(1, shape.metadata.get("min", 0))
    values = {"integer": low, "long": low, "boolean": False, "blob": b"x"}
    return {**values, "double": 1.0, "float": 1.0, "timestamp": 0}[shape.type_name]


def request_for(operation: OperationModel) -> dict[str, Any]:
    return dict(a_value("", operation.input_shape)) if operation.input_shape else {}


@pytest.fixture(scope="module")
def client(user: Deployer) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=user.lambda_.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="700000009999",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 0}, parameter_validation=False),
    )


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_every_operation_answers_in_the_form_of_aws(client: Any, name: str) -> None:
    operation = MODEL.operation_model(name)
    seen = []
    client.meta.events.register_last(
        f"after-call.lambda.{name}", lambda http_response, **_: seen.append(http_response)
    )
    call = getattr(client, botocore.xform_name(name))
    error = None
    try:
        call(**request_for(operation))
    except ClientError as refused:
        error = refused.response
    [response] = seen
    assert UUID.fullmatch(response.headers["x-amzn-RequestId"])
    if error is None:
        assert response.status_code in (operation.http.get("responseCode", 200), 204)
        return
    assert 400 <= response.status_code < 500
    code, message = error["Error"]["Code"], error["Error"]["Message"]
    assert response.headers["x-amzn-ErrorType"] == code
    assert response.headers["content-type"] == "application/json"
    assert message
    assert message in json.loads(response.content).values()
    if code == "NotImplementedException":
        assert f"lambda:{name} is not implemented by lambdad yet." in message or name in message
    else:
        known = {shape.name for shape in operation.error_shapes} | {
            "ValidationException",
            "AccessDeniedException",
            "CodeSigningConfigNotFoundException",
        }
        assert code in known, (code, message)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", "/2015-03-31/functions/f/nothing"),
        ("PATCH", "/2015-03-31/functions"),
        ("DELETE", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/functions/f/invocations"),
        ("GET", "/2099-01-01/functions"),
        ("OPTIONS", "/2015-03-31/functions"),
        ("PUT", "/2017-03-31/tags"),
    ],
)
def test_what_is_no_operation_is_refused_in_the_form_of_aws(
    user: Deployer, method: str, path: str
) -> None:
    connection = http.client.HTTPConnection(
        urlsplit(user.lambda_.meta.endpoint_url).netloc, timeout=30
    )
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert 400 <= response.status < 500
    assert UUID.fullmatch(response.headers["x-amzn-RequestId"])
    assert response.headers["x-amzn-ErrorType"]
    document = json.loads(body)
    assert document.get("message") or document.get("Message")


SERVICES: dict[str, tuple[str, dict[str, Any]]] = {
    "iam": ("list_roles", {}),
    "ec2": ("describe_vpcs", {}),
    "secretsmanager": ("list_secrets", {}),
    "ssm": ("describe_parameters", {}),
    "stepfunctions": ("list_state_machines", {}),
    "kms": ("list_keys", {}),
    "cloudfront": ("list_distributions", {}),
    "route53": ("list_hosted_zones", {}),
    "acm": ("list_certificates", {}),
    "cognito-idp": ("list_user_pools", {"MaxResults": 1}),
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that borrows nothing."""
    options = {"LAMBDAD_NEIGHBOURS_OTHERS": "none"}
    with DaemonProcess(tmp_path_factory.mktemp("alone") / "data", environ=options) as daemon:
        yield daemon


@pytest.mark.parametrize("service", SERVICES)
def test_every_other_service_is_refused_by_name_in_its_own_form(
    alone: DaemonProcess, service: str
) -> None:
    """Clients read the error of every wire protocol: JSON, REST, query, EC2."""
    operation, params = SERVICES[service]
    client = boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=alone.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 0}),
    )
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**params)
    error = refused.value.response
    assert error["Error"]["Code"] == "NotImplementedException"
    signing_name = client.meta.service_model.signing_name
    assert f"does not serve {signing_name}" in error["Error"]["Message"]
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
