"""The credential that a request claims."""

from __future__ import annotations

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4 import Credential, parse_credential


def claimed(authorization: str) -> Credential | None:
    headers = {"authorization": authorization}
    return parse_credential(HttpRequest(method="GET", path="/", headers=headers))


@pytest.mark.parametrize("access_key", ["test", "123456789012", "AKIA/with/slash"])
def test_what_botocore_signed_is_read(access_key: str) -> None:
    credentials = Credentials(access_key, "secret")
    request = AWSRequest(method="GET", url="http://localhost/2015-03-31/functions")
    SigV4Auth(credentials, "lambda", "eu-west-1").add_auth(request)
    found = claimed(request.headers["Authorization"])
    assert found is not None
    assert (found.access_key, found.region, found.service) == (access_key, "eu-west-1", "lambda")
    assert found.date == request.context["timestamp"][:8]


def test_a_presigned_query_is_read() -> None:
    request = AWSRequest(method="GET", url="http://localhost/x?a=1")
    SigV4QueryAuth(Credentials("test", "secret"), "s3", "us-east-1").add_auth(request)
    query = request.prepare().url.partition("?")[2]
    found = parse_credential(HttpRequest(method="GET", path="/x", query=query))
    assert found is not None
    assert (found.access_key, found.region, found.service) == ("test", "us-east-1", "s3")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/lambda",
        "AWS4-HMAC-SHA256 Credential=a/now/us-east-1/lambda/aws4_request",
        "AWS4-HMAC-SHA256 Credential=" + "a" * 600 + "/20260101/us-east-1/lambda/aws4_request",
    ],
)
def test_what_is_no_credential_is_none(authorization: str) -> None:
    assert claimed(authorization) is None


def test_an_unsigned_request_has_no_credential() -> None:
    assert parse_credential(HttpRequest(method="GET", path="/")) is None


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    claimed(text)
    claimed(f"AWS4-HMAC-SHA256 Credential={text}")
