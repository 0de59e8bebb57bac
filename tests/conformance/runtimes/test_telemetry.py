"""Extensions that subscribe to telemetry, in real sandboxes: what reaches them, in which order."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

Publish = Callable[..., str]
Deploy = Callable[..., str]

GO = Path(__file__).parents[2] / "fixtures" / "extensions" / "observer"
CACHE = Path.home() / ".cache" / "lambdad-test" / "extensions"
FUNCTION = (
    "def handler(event, context):\n"
    "    print('said', event, flush=True)\n"
    "    return context.aws_request_id\n"
)


@pytest.fixture(scope="session")
def observer() -> bytes:
    """The program of the extension in Go. Skips where there is no compiler."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip("Go is not on this host")
    source = (GO / "main.go").read_bytes()
    program = CACHE / f"observer-{hashlib.sha256(source).hexdigest()[:16]}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        scratch = program.with_suffix(f".{os.getpid()}")
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
        command = [go, "build", "-ldflags=-s -w", "-o", str(scratch), "."]
        subprocess.run(command, cwd=GO, env=environment, check=True, timeout=300)
        scratch.rename(program)
    return program.read_bytes()


def messages(user: Deployer, name: str) -> Iterator[str]:
    pages = user.logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{name}"
    )
    with contextlib.suppress(user.logs.exceptions.ResourceNotFoundException):
        for page in pages:
            yield from (event["message"].rstrip("\n") for event in page["events"])


def await_message(user: Deployer, name: str, wanted: str) -> list[str]:
    """All messages once one is there; the log is written behind what happens."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = list(messages(user, name))
        if any(wanted in message for message in found):
            return found
    raise AssertionError((wanted, found))


def retire(user: Deployer, name: str) -> None:
    """Let the environments of a function go."""
    user.lambda_.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"NEW": "environment"}}
    )
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)


def records(log: list[str]) -> list[Any]:
    return [json.loads(line.removeprefix("GOT ")) for line in log if line.startswith("GOT ")]


INIT = [
    "platform.initStart",
    "platform.telemetrySubscription",
    "platform.initRuntimeDone",
    "platform.extension",
    "platform.initReport",
]
INVOCATION = ["platform.start", "function", "platform.runtimeDone", "platform.report"]


def test_all_that_happens_reaches_an_extension_in_go_in_order(
    user: Deployer, shelf: Publish, deployed: Deploy, observer: bytes
) -> None:
    path = "extensions/observer"
    name = deployed(FUNCTION, shelf({path: observer}, executable=(path,)), MemorySize=256)
    requests = [user.invoke(name, number).payload for number in range(3)]
    retire(user, name)
    log = await_message(user, name, "TOLD SHUTDOWN")
    assert 'SUBSCRIBED 200 "OK"' in log
    told = records(log)
    assert [record["type"] for record in told] == INIT + INVOCATION * 3
    times = [record["time"] for record in told]
    assert all(len(moment) == len("2026-01-02T03:04:05.678Z") for moment in times)
    start, subscription, runtime_done, extension, report = (r["record"] for r in told[:5])
    assert start["functionName"] == name
    assert start["phase"] == "init"
    assert start["initializationType"] == runtime_done["initializationType"] == "on-demand"
    types = ["platform", "function"]
    assert subscription == {"name": "observer", "state": "Subscribed", "types": types}
    assert extension == {"name": "observer", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    assert runtime_done["status"] == report["status"] == "success"
    for number, request in enumerate(requests):
        begun, said, done, over = (r["record"] for r in told[5 + 4 * number : 9 + 4 * number])
        assert said == f"said {number}\n"
        assert begun == {"requestId": request, "version": "$LATEST"}
        assert done["requestId"] == over["requestId"] == request
        assert done["status"] == over["status"] == "success"
        assert done["metrics"]["producedBytes"] == len(json.dumps(request))
        spans = [span["name"] for span in done["spans"]]
        assert spans == ["responseLatency", "responseDuration", "runtimeOverhead"]
        assert done["metrics"]["durationMs"] <= over["metrics"]["durationMs"]
        assert over["metrics"]["memorySizeMB"] == 256
        assert ("initDurationMs" in over["metrics"]) is (number == 0)


# Subscribes as its variables say, from threads of its own, and prints what comes.
PYTHON = r"""#!/usr/bin/env python3
import http.client, http.server, json, os, socket, sys, threading
def call(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()
def register():
    answer, _ = call('POST', '/2020-01-01/extension/register',
        '{"events":["INVOKE","SHUTDOWN"]}',
        **{'Lambda-Extension-Name': os.path.basename(sys.argv[0])})
    return {'Lambda-Extension-Identifier': answer.headers['Lambda-Extension-Identifier']}
def subscribe(me, path, **members):
    answer, text = call('PUT', path, json.dumps(members), **me)
    print('SUBSCRIBED', answer.status, text, flush=True)
"""
LOOP = r"""
while True:
    event = json.loads(call('GET', '/2020-01-01/extension/event/next', **me)[1])
    if event['eventType'] == 'SHUTDOWN':
        break
print('TOLD SHUTDOWN', flush=True)
"""
TCP = (
    PYTHON
    + r"""
server = socket.create_server(('sandbox.localdomain', 4244))
def listen():
    connection, _ = server.accept()
    for line in connection.makefile():
        print('GOT', line, end='', flush=True)
threading.Thread(target=listen, daemon=True).start()
me = register()
subscribe(me, '/2020-08-15/logs', schemaVersion='2021-03-18', types=['platform', 'function'],
    buffering={'timeoutMs': 25}, destination={'protocol': 'TCP', 'port': 4244})
"""
    + LOOP
)


def test_the_logs_api_delivers_lines_over_tcp(
    user: Deployer, shelf: Publish, deployed: Deploy
) -> None:
    path = "extensions/logs"
    name = deployed(FUNCTION, shelf({path: TCP}, executable=(path,)))
    request = user.invoke(name, 1).payload
    retire(user, name)
    log = await_message(user, name, "TOLD SHUTDOWN")
    told = records(log)
    assert [record["type"] for record in told] == [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
    ]
    assert told[2]["record"] == {"requestId": request, "version": "$LATEST"}
    assert told[4]["record"] == {"requestId": request, "status": "success"}
    assert told[6]["record"]["metrics"]["memorySizeMB"] == 256


REFUSED = (
    PYTHON
    + r"""
me = register()
http_to = lambda uri: {'protocol': 'HTTP', 'URI': uri}
own = 'http://sandbox.localdomain:4245'
path = '/2022-07-01/telemetry'
subscribe(me, path, schemaVersion='2022-12-13', types=[],
    destination=http_to('http://sandbox.localdomain'))
subscribe(me, path, schemaVersion='2022-12-13', types=['platform'],
    destination=http_to('http://127.0.0.1:4566'))
subscribe(me, path, schemaVersion='2022-12-13', types=['platform'], destination=http_to(own))
subscribe(me, '/2020-08-15/logs', types=['platform'], destination=http_to(own))
event = call('GET', '/2020-01-01/extension/event/next', **me)
subscribe(me, path, schemaVersion='2022-12-13', types=['platform'], destination=http_to(own))
"""
    + LOOP
)


def test_subscriptions_are_refused_in_the_words_of_aws(
    user: Deployer, shelf: Publish, deployed: Deploy
) -> None:
    """Nobody listens at the accepted one, which harms nobody."""
    path = "extensions/refused"
    name = deployed(FUNCTION, shelf({path: REFUSED}, executable=(path,)))
    user.invoke(name)
    log = await_message(user, name, "SubscriptionClosed")
    answers = [line.split(" ", 2)[1:] for line in log if line.startswith("SUBSCRIBED")]
    assert [(status, json.loads(text)) for status, text in answers] == [
        (
            "400",
            {
                "errorType": "ValidationError",
                "errorMessage": "URI port is not provided; types should not be empty",
            },
        ),
        (
            "403",
            {
                "errorType": "Telemetry.AccessDenied",
                "errorMessage": "Only 'sandbox.localdomain' hostname is supported.",
            },
        ),
        ("200", "OK"),
        (
            "400",
            {
                "errorType": "Logs.ValidationError",
                "errorMessage": "the extension has subscribed to the Telemetry API already",
            },
        ),
        (
            "403",
            {
                "errorType": "Telemetry.SubscriptionClosed",
                "errorMessage": "Telemetry API subscription is closed",
            },
        ),
    ]
