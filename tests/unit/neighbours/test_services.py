"""Which service a request is for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.neighbours.refusals import refuse
from lambdad.neighbours.services import ServiceDirectory
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.model import load_service
from lambdad.protocol.sigv4 import Credential, parse_credential

DIRECTORY = ServiceDirectory([load_service(name) for name in ("lambda", "logs", "sts")])
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def signed(service: str) -> Credential:
    return Credential(access_key="k", date="20251124", region="us-east-1", service=service)


@pytest.mark.parametrize(
    ("request_", "credential", "service"),
    [
        (HttpRequest(method="GET", path="/x"), signed("lambda"), "lambda"),
        (HttpRequest(method="GET", path="/x"), signed("sqs"), "sqs"),
        (
            HttpRequest(
                method="POST", path="/", headers={"x-amz-target": "Logs_20140328.FilterLogEvents"}
            ),
            None,
            "logs",
        ),
        (
            HttpRequest(
                method="POST", path="/", headers={"x-amz-target": "AmazonSSM.GetParameter"}
            ),
            signed("ssm"),
            "ssm",
        ),
        (
            HttpRequest(
                method="POST", path="/", headers={"x-amz-target": "AmazonSSM.GetParameter"}
            ),
            None,
            "AmazonSSM",
        ),
        (
            HttpRequest(
                method="POST",
                path="/",
                headers=FORM,
                body=b"Action=GetCallerIdentity&Version=2011-06-15",
            ),
            None,
            "sts",
        ),
        (
            HttpRequest(
                method="GET", path="/", query="Action=GetCallerIdentity&Version=2011-06-15"
            ),
            None,
            "sts",
        ),
        (HttpRequest(method="GET", path="/2015-03-31/functions/"), None, "lambda"),
        (HttpRequest(method="GET", path="/2017-03-31/tags/arn%3Aaws"), None, "lambda"),
        (HttpRequest(method="GET", path="/2015-03-31/functionsx"), None, "s3"),
        (HttpRequest(method="GET", path="/"), None, None),
        (HttpRequest(method="GET", path="/x", headers={"x-amz-target": "0"}), None, None),
        (HttpRequest(method="GET", path="/", headers={"host": "sns.localhost:1"}), None, "sns"),
        (
            HttpRequest(method="GET", path="/", headers={"host": "a.b.s3.eu-west-1.amazonaws.com"}),
            None,
            "s3",
        ),
        (
            HttpRequest(method="GET", path="/", headers={"host": "us-east-1.queue.amazonaws.com"}),
            None,
            "sqs",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_target_scope_action_and_path_tell_the_service(
    request_: HttpRequest, credential: Credential | None, service: str | None
) -> None:
    assert DIRECTORY.identify(request_, credential) == service


HEADERS = st.dictionaries(
    st.sampled_from(["x-amz-target", "content-type", "authorization"]), st.text(max_size=60)
)


@given(
    path=st.text(max_size=60),
    query=st.text(max_size=60) | st.just("Action=&Version=%ff"),
    headers=HEADERS,
    body=st.binary(max_size=60) | st.just(b"Action=%00&Version"),
)
def test_no_request_is_too_odd_to_be_refused_in_form(
    path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    request = HttpRequest(method="POST", path=path, query=query, headers=headers, body=body)
    service = DIRECTORY.identify(request, parse_credential(request))
    response = refuse(request, service, "id")
    assert response.status == 400
    assert response.headers["x-amzn-RequestId"] == "id"
    assert response.body
