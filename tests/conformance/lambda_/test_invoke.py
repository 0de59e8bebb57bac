"""Invoke over the wire: headers, limits, what is refused before any code runs."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
SOURCE = """
runs = 0
def handler(event, context):
    global runs
    runs += 1
    if event == "id":
        return context.aws_request_id
    if event == "fail":
        raise ValueError("no")
    if event == "chatty":
        print("x" * 10_000)
    if event == "runs":
        return runs
    return event
"""
TAIL = {"X-Amz-Log-Type": "Tail"}  # waits for the REPORT line, so that the environment is free
NOT_JSON = "Could not parse request body into json: Could not parse payload into json: "
SIX_MB = 6 * 1024 * 1024
ErrorOf = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def echo(user: Deployer) -> Iterator[str]:
    user.deploy("wire-echo", SOURCE)
    yield "wire-echo"
    user.lambda_.delete_function(FunctionName="wire-echo")


def post(user: Deployer, name: str, body: bytes, **headers: str) -> Any:
    url = urlsplit(user.lambda_.meta.endpoint_url)
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    connection.request("POST", f"/2015-03-31/functions/{name}/invocations", body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, content


def runs(user: Deployer, echo: str) -> int:
    """How often the environment that comes first has run."""
    return int(post(user, echo, b'"runs"', **TAIL)[2])


def test_an_answer_has_the_headers_of_aws(user: Deployer, echo: str) -> None:
    status, headers, body = post(user, echo, b'"id"')
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert headers["x-amz-executed-version"] == "$LATEST"
    assert re.fullmatch(UUID, headers["x-amzn-requestid"])
    assert json.loads(body) == headers["x-amzn-requestid"]
    assert re.match(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", headers["x-amzn-trace-id"], re.IGNORECASE)
    assert "x-amz-function-error" not in headers
    assert "x-amz-log-result" not in headers


def test_a_function_error_is_an_http_success(user: Deployer, echo: str) -> None:
    status, headers, body = post(user, echo, b'"fail"')
    assert (status, headers["x-amz-function-error"]) == (200, "Unhandled")
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["errorType"] == "ValueError"


def test_the_tail_of_the_log_is_its_last_4_kilobytes(user: Deployer, echo: str) -> None:
    _, headers, _ = post(user, echo, b"1", **{"X-Amz-Log-Type": "Tail"})
    log = base64.b64decode(headers["x-amz-log-result"]).decode()
    assert re.fullmatch(
        rf"START RequestId: ({UUID}) Version: \$LATEST\nEND RequestId: \1\n"
        r"REPORT RequestId: \1\tDuration: .*\n",
        log[log.index("START") :],
    )
    _, headers, _ = post(user, echo, b'"chatty"', **{"X-Amz-Log-Type": "Tail"})
    tail = base64.b64decode(headers["x-amz-log-result"])
    assert len(tail) == 4096
    assert tail.startswith(b"xxx")
    assert b"REPORT RequestId" in tail


def test_payloads_are_carried_byte_for_byte(user: Deployer, echo: str) -> None:
    for payload in (b"{}", b"[1.0, 1e3]", '"é😀"'.encode(), b'"\\u00e9"', b" null "):
        status, _, body = post(user, echo, payload)
        assert (status, json.loads(body)) == (200, json.loads(payload))
    assert post(user, echo, b"")[2] == b"{}"


@pytest.mark.parametrize(
    "payload",
    [b"{", b"hello", b"{'a': 1}", b"NaN", b"\xff\xfe", b"{} {}", b"[" * 100_000, b"\x00", b"1,"],
    ids=lambda payload: ascii(payload[:8]),
)
def test_what_is_not_json_is_refused_and_never_runs(
    user: Deployer, echo: str, payload: bytes
) -> None:
    before = runs(user, echo)
    status, headers, body = post(user, echo, payload)
    assert (status, headers["x-amzn-errortype"]) == (400, "InvalidRequestContentException")
    document = json.loads(body)
    assert document.pop("message").startswith(NOT_JSON)
    assert document == {"Type": "User"}
    assert runs(user, echo) == before + 1


def test_six_megabytes_are_the_limit(user: Deployer, echo: str) -> None:
    largest = b'"' + b"x" * (SIX_MB - 2) + b'"'
    status, headers, body = post(user, echo, largest)
    assert (status, body == largest) == (200, True)
    assert "x-amz-function-error" not in headers
    for size in (SIX_MB + 1, 7 * 1024 * 1024, 20 * 1024 * 1024):
        status, headers, body = post(user, echo, b'"' + b"x" * (size - 2) + b'"')
        assert (status, headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")
        assert json.loads(body) == {
            "Type": "User",
            "message": (
                "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
            ),
        }


def test_dry_run_answers_204_and_runs_nothing(user: Deployer, echo: str, error_of: ErrorOf) -> None:
    before = runs(user, echo)
    answer = user.lambda_.invoke(FunctionName=echo, InvocationType="DryRun", Payload=b'"runs"')
    assert answer["StatusCode"] == 204
    assert answer["Payload"].read() == b""
    assert "ExecutedVersion" not in answer
    assert runs(user, echo) == before + 1
    status, code, _ = error_of(user.lambda_.invoke, FunctionName="absent", InvocationType="DryRun")
    assert (status, code) == (404, "ResourceNotFoundException")


REFUSED: dict[str, tuple[dict[str, str], int, str, str]] = {
    "invocation type": (
        {"InvocationType": "Maybe"},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value 'Maybe' at 'invocationType' failed to satisfy "
            "constraint: Member must satisfy enum value set: ["
        ),
    ),
    "log type": (
        {"LogType": "All"},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value 'All' at 'logType' failed to satisfy constraint: "
            "Member must satisfy enum value set: ["
        ),
    ),
    "no Base64": (
        {"ClientContext": "?"},
        400,
        "InvalidRequestContentException",
        "Client context must be a valid Base64-encoded JSON object.",
    ),
    "long context": (
        {"ClientContext": base64.b64encode(json.dumps({"k": "x" * 3_000}).encode()).decode()},
        400,
        "InvalidRequestContentException",
        "Client context must be at most 3583 bytes of Base64.",
    ),
    "absent version": (
        {"Qualifier": "7"},
        404,
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:wire-echo:7",
    ),
    "absent alias": (
        {"Qualifier": "live"},
        404,
        "ResourceNotFoundException",
        "Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:wire-echo:live",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_invoked_is_refused_in_the_words_of_aws(
    user: Deployer, echo: str, error_of: ErrorOf, case: str
) -> None:
    members, status, code, message = REFUSED[case]
    got = error_of(user.lambda_.invoke, FunctionName=echo, **members)
    assert got[:2] == (status, code)
    assert got[2].startswith(message)


@pytest.mark.parametrize(
    "name",
    [
        "wire-echo",
        "function:wire-echo",
        "000000000000:function:wire-echo",
        "arn:aws:lambda:us-east-1:000000000000:function:wire-echo",
        "wire-echo:$LATEST",
        "arn:aws:lambda:us-east-1:000000000000:function:wire-echo:$LATEST",
    ],
)
def test_every_way_to_name_a_function_works(user: Deployer, echo: str, name: str) -> None:
    assert echo in name
    assert user.invoke(name, 5).payload == 5


def test_a_client_that_goes_away_does_not_stop_the_function(user: Deployer) -> None:
    source = (
        "import time\ndef handler(event, context):\n"
        "    print('begun')\n    time.sleep(0.5)\n    print('done')\n"
    )
    user.deploy("wire-gone", source)
    url = urlsplit(user.lambda_.meta.endpoint_url)
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    connection.request("POST", "/2015-03-31/functions/wire-gone/invocations", b"1")
    connection.close()
    user.invoke("wire-gone")  # takes as long
    messages: list[str] = []
    for _ in asking():  # the log is written in batches
        with contextlib.suppress(user.logs.exceptions.ResourceNotFoundException):
            events = user.logs.filter_log_events(logGroupName="/aws/lambda/wire-gone")["events"]
            messages = [event["message"] for event in events]
        if messages.count("done\n") == 2:
            break
    assert messages.count("begun\n") == messages.count("done\n") == 2
    user.lambda_.delete_function(FunctionName="wire-gone")
