"""What bounds a streamed response: its size, its pace, and a caller that does not read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.domain.clock import SystemClock
from lambdad.testing import raw_calls
from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

MIB = 1024 * 1024
TOTAL_MAX = 200 * MIB

# A runtime of its own, which streams as many MiB as the event says.
STREAMER = """#!/usr/bin/python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    request, wanted = event.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(event.read())
    api.putrequest("POST", f"/2018-06-01/runtime/invocation/{request}/response")
    api.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    api.putheader("Transfer-Encoding", "chunked")
    api.endheaders()
    piece = b"100000\\r\\n" + b"x" * 1048576 + b"\\r\\n"
    try:
        for sent in range(wanted):
            api.send(piece)
        api.send(b"0\\r\\n\\r\\n")
        answer = api.getresponse()
        print("answered", answer.status, flush=True)
        answer.read()
    except OSError as error:
        print("cut off", flush=True)
        api.close()
"""


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that passes streams on as fast as it can."""
    data = tmp_path_factory.mktemp("stream-limits") / "data"
    pace = {"LAMBDAD_DATAPLANE_STREAM_PACE_MB": "1024"}
    with DaemonProcess(data, environ=pace) as daemon:
        deploy(Deployer(daemon.endpoint_url))
        yield daemon


def deploy(user: Deployer, name: str = "pump") -> None:
    user.deploy(
        name,
        {"bootstrap": STREAMER},
        executable=("bootstrap",),
        Runtime="provided.al2023",
        MemorySize=1769,
        Timeout=60,
    )


def consume(user: Deployer, wanted: int, name: str = "pump") -> tuple[int, dict[str, Any]]:
    """How many bytes came, and how it ended."""
    answer = user.lambda_.invoke_with_response_stream(FunctionName=name, Payload=str(wanted))
    size, end = 0, {}
    with contextlib.closing(answer["EventStream"]) as stream:
        for event in stream:
            size += len(event.get("PayloadChunk", {}).get("Payload", b""))
            end = event.get("InvokeComplete", end)
    return size, end


def test_200_mib_are_streamed_and_not_one_byte_more(swift: DaemonProcess) -> None:
    user = Deployer(swift.endpoint_url)
    assert consume(user, 200) == (TOTAL_MAX, {})
    size, end = consume(user, 201)
    assert size <= TOTAL_MAX
    assert end["ErrorCode"] == "Function.ResponseSizeTooLarge"
    assert json.loads(end["ErrorDetails"]) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        f"({TOTAL_MAX} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert consume(user, 1) == (MIB, {})


def test_behind_6_mib_a_stream_has_its_pace(user: Deployer) -> None:
    """AWS: 2 MiB a second; a test can only be slower than that, never faster."""
    deploy(user, "paced-pump")
    assert consume(user, 6, "paced-pump") == (6 * MIB, {})
    clock = SystemClock()
    begun = clock.monotonic()
    assert consume(user, 9, "paced-pump") == (9 * MIB, {})
    assert clock.monotonic() - begun >= 1.5


def test_a_caller_that_does_not_read_costs_no_memory(swift: DaemonProcess) -> None:
    """The function waits instead; when the caller goes, the rest is dropped and it ends."""
    user = Deployer(swift.endpoint_url)
    consume(user, 1)
    before = resident_kib(swift.pid)
    callers = [
        raw_calls.call(swift.endpoint_url, "pump", "150", streaming=True, receive_bytes=65536)
        for _ in range(4)
    ]
    try:
        for caller in callers:
            assert caller.recv(1)
        # The others are served meanwhile; the streams stand still once all buffers are full.
        for _ in range(3):
            assert consume(user, 20) == (20 * MIB, {})
        assert resident_kib(swift.pid) - before < 4 * 16 * 1024
    finally:
        for caller in callers:
            caller.close()
    assert "answered 202" in " ".join(printed(user, 4))


def printed(user: Deployer, times: int) -> list[str]:
    """What the streams that nobody read say at their end, once all have ended."""
    for _ in asking():
        pages = user.logs.get_paginator("filter_log_events").paginate(
            logGroupName="/aws/lambda/pump", filterPattern="REPORT"
        )
        ended = sum(len(page["events"]) for page in pages)
        starts = user.logs.get_paginator("filter_log_events").paginate(
            logGroupName="/aws/lambda/pump", filterPattern="START"
        )
        begun = sum(
            event["message"].startswith("START") for page in starts for event in page["events"]
        )
        if begun == ended:
            break
    else:
        raise AssertionError((begun, ended))
    pages = user.logs.get_paginator("filter_log_events").paginate(
        logGroupName="/aws/lambda/pump", filterPattern="answered"
    )
    lines = [event["message"] for page in pages for event in page["events"]]
    assert len(lines) >= times
    return lines


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
