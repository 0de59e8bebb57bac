"""InvokeWithResponseStream on a real sandbox, read by boto3."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

STREAMER = """
const flag = `${process.env.AWS_ENDPOINT_URL}/2015-03-31/functions/the-flag/configuration`;
const scope = `Credential=000000000000/20260101/us-east-1/lambda/aws4_request`;
const headers = { Authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0` };
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event === 'fail early') throw new TypeError('early');
  stream.write('first');
  if (event === 'fail late') {
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new TypeError('late');
  }
  if (event === 'wait') while ((await fetch(flag, { headers })).status !== 200);
  if (event === 'large') stream.write(Buffer.alloc(7 * 1024 * 1024, 'x'));
  stream.write('last');
  stream.end();
});
"""


@pytest.fixture(scope="module")
def streamer(user: Deployer) -> str:
    user.deploy("streamer", {"index.js": STREAMER}, Runtime="nodejs20.x", Handler="index.handler")
    return "streamer"


def invoke(user: Deployer, name: str, event: str, **options: Any) -> Any:
    return user.lambda_.invoke_with_response_stream(
        FunctionName=name, Payload=json.dumps(event), **options
    )


def collect(answer: Any) -> tuple[bytes, dict[str, Any]]:
    with contextlib.closing(answer["EventStream"]) as stream:
        *chunks, end = list(stream)
    return b"".join(c["PayloadChunk"]["Payload"] for c in chunks), end["InvokeComplete"]


def test_the_first_byte_arrives_while_the_handler_still_runs(user: Deployer, streamer: str) -> None:
    """The handler goes on only when it sees what is created after its first chunk was read."""
    answer = invoke(user, streamer, "wait")
    assert answer["ExecutedVersion"] == "$LATEST"
    with contextlib.closing(answer["EventStream"]) as stream:
        events = iter(stream)
        assert next(events) == {"PayloadChunk": {"Payload": b"first"}}
        user.deploy("the-flag", "def handler(event, context): pass\n")
        assert next(events) == {"PayloadChunk": {"Payload": b"last"}}
        assert next(events) == {"InvokeComplete": {}}


def test_the_log_comes_with_the_end(user: Deployer, streamer: str) -> None:
    body, end = collect(invoke(user, streamer, "", LogType="Tail"))
    assert body == b"firstlast"
    assert "LogResult" in end


def test_a_response_may_be_larger_than_6_mib(user: Deployer, streamer: str) -> None:
    body, end = collect(invoke(user, streamer, "large"))
    assert (len(body), end) == (7 * 1024 * 1024 + 9, {})


def test_a_failure_before_the_first_byte_has_no_payload(user: Deployer, streamer: str) -> None:
    body, end = collect(invoke(user, streamer, "fail early"))
    assert (body, end["ErrorCode"]) == (b"", "TypeError")
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "early"


def test_a_failure_half_way_is_told_at_the_end(user: Deployer, streamer: str) -> None:
    body, end = collect(invoke(user, streamer, "fail late"))
    assert body == b"first"
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "late"


def test_invoke_gives_a_streamed_answer_as_a_whole(user: Deployer, streamer: str) -> None:
    answer = user.lambda_.invoke(FunctionName=streamer, Payload=b'""')
    assert answer["Payload"].read() == b"firstlast"
