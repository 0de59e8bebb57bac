"""Plain invocations are answered by a shorter way than others: nobody can tell which was taken."""

from __future__ import annotations

import http.client
import json
import re
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = pytest.mark.root

HANDLER = """
import os
def handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    if event.get("exit"):
        os._exit(1)
    print("said", event)
    return {"given": event, "arn": context.invoked_function_arn, "v": context.function_version}
"""
# Says what is said by leaving it out, but takes the general way.
GENERAL = {"X-Amz-Log-Type": "None"}
VARYING = {"date", "x-amzn-requestid", "x-amzn-trace-id"}


@pytest.fixture
def function(user: Deployer) -> Iterator[str]:
    name = f"plain-{uuid.uuid4().hex[:8]}"
    user.deploy(name, HANDLER)
    yield name
    user.lambda_.delete_function(FunctionName=name)


class Caller:
    """One connection that plain requests are sent over."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(daemon.endpoint_url).netloc)

    def ask(
        self, function: str, body: bytes, headers: dict[str, str], account: str = "test"
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers that do not vary and body."""
        credential = f"{account}/20260101/us-east-1/lambda/aws4_request"
        signed = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"
        path = f"/2015-03-31/functions/{function}/invocations"
        self.connection.request("POST", path, body, {"Authorization": signed, **headers})
        response = self.connection.getresponse()
        content = response.read()
        assert re.fullmatch("[0-9a-f-]{36}", response.headers["x-amzn-RequestId"])
        kept = {
            name.lower(): value
            for name, value in response.headers.items()
            if name.lower() not in VARYING
        }
        text = content.decode().replace(response.headers["x-amzn-RequestId"], "<id>")
        text = re.sub(r"request id [0-9a-f-]{36}", "<id>", text)
        return response.status, kept, text.encode()


@pytest.fixture
def caller(daemon: DaemonProcess) -> Iterator[Caller]:
    caller = Caller(daemon)
    yield caller
    caller.connection.close()


CASES = [
    (b"{}", {}),
    (b"", {}),
    (b'{"n": [1, 2.5, "\xc3\xa9"]}', {}),
    (b'{"n": 1}', {"X-Amz-Invocation-Type": "RequestResponse"}),
    (b'{"fail": true}', {}),
    (b'{"exit": true}', {}),
    (b"{not json", {}),
    (b"NaN", {}),
    (b'"' + b"x" * 6_291_460 + b'"', {}),
]


@pytest.mark.parametrize(("body", "headers"), CASES, ids=range(len(CASES)))
def test_an_answer_does_not_depend_on_the_way(
    caller: Caller, function: str, body: bytes, headers: dict[str, str]
) -> None:
    general = caller.ask(function, body, {**headers, **GENERAL})
    caller.ask(function, b"{}", {})  # teaches the shorter way
    plain = caller.ask(function, body, headers)
    assert plain == general


def test_every_way_to_name_a_function_is_answered_alike(
    caller: Caller, user: Deployer, function: str
) -> None:
    version = user.lambda_.publish_version(FunctionName=function)["Version"]
    user.lambda_.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    for name in (function, f"{function}:live", f"{function}:{version}", arn, f"{arn}:live"):
        answers = [caller.ask(name, b"{}", extra) for extra in (GENERAL, {}, {}, GENERAL)]
        assert answers.count(answers[0]) == 4
    other = user.lambda_.publish_version(FunctionName=function, Description="another")
    user.lambda_.update_alias(FunctionName=function, Name="live", FunctionVersion=other["Version"])
    assert json.loads(caller.ask(f"{function}:live", b"{}", {})[2])["v"] == other["Version"]


def test_the_first_invocation_of_a_function_may_be_a_plain_one(
    caller: Caller, function: str
) -> None:
    first = caller.ask(function, b"{}", {})
    assert first[0] == 200
    assert first == caller.ask(function, b"{}", GENERAL)


@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        "no%62ody",
        "no.name",
        "n" * 200,
        "",
        "nobody:live",
        "000000000000:function:nobody",
        "arn:aws:lambda:us-east-1:111122223333:function:nobody",
        "arn:aws:lambda:eu-west-1:000000000000:function:nobody",
    ],
)
def test_a_function_that_never_was_is_refused_alike(caller: Caller, name: str) -> None:
    refused = caller.ask(name, b"{}", GENERAL)
    assert refused[0] >= 400
    assert [caller.ask(name, b"{}", {}) for _ in range(2)] == [refused, refused]


def test_who_asks_is_read_from_all_of_the_header(caller: Caller, function: str) -> None:
    """Whose a signature is may stand anywhere in it: what is remembered is not taken for all."""
    for _ in range(2):
        assert caller.ask(function, b"{}", {})[0] == 200
    usual = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request"
    other = usual.replace("test", "111122223333").replace("us-east-1", "eu-west-1")
    for header in (
        f"{usual}, {other.removeprefix('AWS4-HMAC-SHA256 ')}, Signature=0",
        f"{usual} x, SignedHeaders=host",
        other,
        f"{usual}/x, SignedHeaders=host",
        "Basic dGVzdDp0ZXN0",
    ):
        asked = {"Authorization": header}
        assert caller.ask(function, b"{}", asked) == caller.ask(function, b"{}", asked | GENERAL)


def test_a_change_counts_from_the_next_invocation_on(
    caller: Caller, user: Deployer, function: str
) -> None:
    for _ in range(2):
        assert caller.ask(function, b"{}", {})[0] == 200
    user.lambda_.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    refused = caller.ask(function, b"{}", {})
    assert refused[0] == 429
    assert refused == caller.ask(function, b"{}", GENERAL)
    user.lambda_.delete_function_concurrency(FunctionName=function)
    assert caller.ask(function, b"{}", {})[0] == 200
    other = "111122223333"
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    assert caller.ask(arn, b"{}", {}, other)[0] == 403
    user.lambda_.add_permission(
        FunctionName=function,
        StatementId="other",
        Action="lambda:InvokeFunction",
        Principal=other,
    )
    for extra in ({}, {}, GENERAL):
        assert caller.ask(arn, b"{}", extra, other)[0] == 200
    user.lambda_.remove_permission(FunctionName=function, StatementId="other")
    assert caller.ask(arn, b"{}", {}, other) == caller.ask(arn, b"{}", GENERAL, other)
    assert caller.ask(arn, b"{}", {}, other)[0] == 403


def test_a_function_that_is_gone_is_not_found(caller: Caller, user: Deployer) -> None:
    name = f"plain-{uuid.uuid4().hex[:8]}"
    user.deploy(name, HANDLER)
    assert [caller.ask(name, b"{}", {})[0] for _ in range(2)] == [200, 200]
    user.lambda_.delete_function(FunctionName=name)
    gone = caller.ask(name, b"{}", {})
    assert (gone[0], gone) == (404, caller.ask(name, b"{}", GENERAL))
