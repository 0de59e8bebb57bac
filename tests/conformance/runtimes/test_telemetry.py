"""Extensions that subscribe to telemetry, in real sandboxes: what reaches them, in which order."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

Publish = Callable[..., str]
Deploy = Callable[..., str]

SOURCES = Path(__file__).parents[2] / "fixtures" / "extensions"
TOOLS = os.pathsep.join(("/usr/local/go/bin", str(Path.home() / ".cargo" / "bin")))
CACHE = Path.home() / ".cache" / "lambdad-test" / "extensions"
FUNCTION = (
    "def handler(event, context):\n"
    "    print('said', event, flush=True)\n"
    "    return context.aws_request_id\n"
)


def built(folder: str, tool: str, *command: str, output: str, **variables: str) -> bytes:
    """The program of an extension, made once per host. Skips where it cannot be made."""
    program = shutil.which(tool) or shutil.which(tool, path=TOOLS)
    if program is None:
        pytest.skip(f"{tool} is not on this host")
    source = SOURCES / folder
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        digest.update(path.read_bytes() if path.is_file() else b"")
    made = CACHE / f"{folder}-{digest.hexdigest()[:16]}"
    if not made.exists():
        with tempfile.TemporaryDirectory() as scratch:
            environment = {**os.environ, **variables, "CARGO_TARGET_DIR": scratch}
            argv = [program, *(word.format(scratch=scratch) for word in command)]
            done = subprocess.run(argv, cwd=source, env=environment, check=False, timeout=900)
            if done.returncode != 0:
                pytest.skip(f"{tool} cannot build {folder} here: no network, perhaps")
            made.parent.mkdir(parents=True, exist_ok=True)
            half = made.with_name(f"{made.name}.{os.getpid()}")
            shutil.copy(Path(scratch) / output, half)
            half.rename(made)
    return made.read_bytes()


@pytest.fixture(scope="session")
def observer() -> bytes:
    """An extension in Go, of the standard library alone."""
    command = ("build", "-ldflags=-s -w", "-o", "{scratch}/observer", ".")
    return built("observer", "go", *command, output="observer", CGO_ENABLED="0", GOPROXY="off")


@pytest.fixture(scope="session")
def collector() -> bytes:
    """An extension on AWS's own client of the APIs: the crate lambda-extension."""
    return built("collector", "cargo", "build", "--locked", "--quiet", output="debug/collector")


def messages(user: Deployer, name: str) -> Iterator[str]:
    pages = user.logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{name}"
    )
    with contextlib.suppress(user.logs.exceptions.ResourceNotFoundException):
        for page in pages:
            yield from (event["message"].rstrip("\n") for event in page["events"])


def await_message(user: Deployer, name: str, wanted: str, times: int = 1) -> list[str]:
    """All messages once one is there so often; the log is written behind what happens."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = list(messages(user, name))
        if sum(wanted in message for message in found) >= times:
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
    types = [record["type"] for record in told]
    # The runtime starts when the extension has registered: it may be ready before it subscribes.
    assert sorted(types[:5]) == sorted(INIT)
    assert (types[0], types[4]) == (INIT[0], INIT[4])
    assert types[5:] == INVOCATION * 3
    times = [record["time"] for record in told]
    assert all(len(moment) == len("2026-01-02T03:04:05.678Z") for moment in times)
    of_init = {record["type"]: record["record"] for record in told[:5]}
    start, subscription, runtime_done, extension, report = (of_init[kind] for kind in INIT)
    assert start["functionName"] == name
    assert start["phase"] == "init"
    assert start["initializationType"] == runtime_done["initializationType"] == "on-demand"
    asked = ["platform", "function"]
    assert subscription == {"name": "observer", "state": "Subscribed", "types": asked}
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


def test_the_client_of_aws_is_served(
    user: Deployer, shelf: Publish, deployed: Deploy, collector: bytes
) -> None:
    path = "extensions/collector"
    name = deployed(FUNCTION, shelf({path: collector}, executable=(path,)))
    requests = [user.invoke(name, number).payload for number in range(2)]
    retire(user, name)
    log = await_message(user, name, "TOLD SHUTDOWN")
    assert [line for line in log if line.startswith("TOLD")] == [
        *(f"TOLD INVOKE {request}" for request in requests),
        "TOLD SHUTDOWN spindown",
    ]
    told = [line.removeprefix("GOT ") for line in log if line.startswith("GOT ")]
    assert sorted(told[:5]) == [
        "extension collector",
        "initReport",
        "initRuntimeDone",
        "initStart",
        "subscription collector platform,function",
    ]
    expected: list[str] = []
    for number, request in enumerate(requests):
        expected += [
            f"start {request}",
            f"function said {number}",
            f"runtimeDone {request} 3",
            f"report {request} 256",
        ]
    assert told[5:] == expected


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


HANGS = (
    "import time\n"
    "def handler(event, context):\n"
    "    time.sleep(60 if event == 'hang' else 0)\n"
    "    return event\n"
)


def test_what_ended_badly_is_told_before_the_end_and_the_next_init_is_of_its_invocation(
    user: Deployer, shelf: Publish, deployed: Deploy, observer: bytes
) -> None:
    path = "extensions/observer"
    name = deployed(HANGS, shelf({path: observer}, executable=(path,)), Timeout=2)
    assert user.invoke(name, "hang").error == "Unhandled"
    assert user.invoke(name, "go").payload == "go"
    retire(user, name)
    log = await_message(user, name, "TOLD SHUTDOWN", times=2)
    ends = [n for n, line in enumerate(log) if line == "TOLD SHUTDOWN"]
    before, behind = records(log[: ends[0]]), records(log[ends[0] :])
    assert [record["type"] for record in before[-3:]] == [
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert [record["record"]["status"] for record in before[-2:]] == ["timeout", "timeout"]
    # Whoever comes new is told what began before it, too.
    types = [record["type"] for record in behind]
    assert types[:2] == ["platform.start", "platform.initStart"]
    assert types[-3:] == ["platform.initReport", "platform.runtimeDone", "platform.report"]
    phases = [record["record"]["phase"] for record in behind if ".init" in record["type"]]
    assert phases == ["invoke"] * 3
    assert behind[-1]["record"]["status"] == "success"
