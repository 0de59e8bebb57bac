"""Thousands of invocations of which many fail, at random: whoever does not fail gets their answer.

`TEST_INVOCATIONS` says how many; `make chaos` runs the long form. The seed is in the test's name
when it fails; `TEST_SEED` sets it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing import raw_calls
from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer, zip_of
from lambdad.testing.firing_range import Range

INVOCATIONS = int(os.environ.get("TEST_INVOCATIONS", "300"))
SEED = int(os.environ.get("TEST_SEED", "20251124"))
CALLERS = 8
FUNCTIONS = ("plain", "sleepy", "extended", "streamer")
GROWTH_KIB_MAX = 96 * 1024
GROWTH_DESCRIPTORS_MAX = 24

pytestmark = [pytest.mark.root, pytest.mark.slow]

HANDLER = """
import os, signal, time
def handler(event, context):
    do = event["do"]
    if do == "error":
        raise ValueError(event["n"])
    if do == "exit":
        os._exit(7)
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "memory":
        kept = []
        while True:
            kept.append(b"x" * 16777216)
    if do == "sleep":
        time.sleep(60)
    if do == "large":
        return "x" * 6300000
    if do == "extension":
        with open("/tmp/order", "w") as order:
            order.write(event["order"])
        if event["order"] == "crash":
            time.sleep(60)
    return [event["n"], context.aws_request_id]
"""
EXTENSION = """#!/usr/bin/python3
import http.client, json, os
def call(method, tail, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request(method, "/2020-01-01/extension/" + tail, body, headers)
    answer = api.getresponse()
    answer.read()
    return answer.headers
if not os.path.exists("/tmp/order"):
    os.mkfifo("/tmp/order")
headers = call("POST", "register", '{"events":["INVOKE"]}', Lambda_Extension_Name="companion")
me = {"Lambda_Extension_Identifier": headers["Lambda-Extension-Identifier"]}
while True:
    call("GET", "event/next", **me)
    with open("/tmp/order") as order:
        if order.read() == "crash":
            os._exit(7)
"""
STREAMER = """#!/usr/bin/python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    request, told = event.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(event.read())
    api.putrequest("POST", f"/2018-06-01/runtime/invocation/{request}/response")
    api.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    api.putheader("Transfer-Encoding", "chunked")
    api.endheaders()
    for size in (1, 100000, 1000000):
        body = (str(told["n"]) + ";").encode() * (size // 8 + 1)
        api.send(b"%x\\r\\n%s\\r\\n" % (len(body), body))
    if told["do"] == "exit":
        os._exit(7)
    failed = b""
    if told["do"] == "fail":
        failed = (b"Lambda-Runtime-Function-Error-Type: Function.Bad\\r\\n"
            b"Lambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJGdW5jdGlvbi5CYWQifQ==\\r\\n")
    api.send(b"0\\r\\n" + failed + b"\\r\\n")
    api.getresponse().read()
"""


@dataclass(frozen=True)
class World:
    """A daemon with functions that fail when they are told to."""

    daemon: DaemonProcess
    user: Deployer

    def deploy(self) -> None:
        place = "extensions/companion"
        layer = self.user.lambda_.publish_layer_version(
            LayerName="companion",
            Content={"ZipFile": zip_of({place: EXTENSION}, executable=(place,))},
        )["LayerVersionArn"]
        # On a busy host all takes long; only one of them is to be late.
        self.user.deploy("plain", HANDLER, MemorySize=384, Timeout=60)
        self.user.deploy("sleepy", HANDLER, Timeout=1)
        self.user.deploy("extended", HANDLER, Layers=[layer], MemorySize=384, Timeout=60)
        self.user.deploy(
            "streamer",
            {"bootstrap": STREAMER},
            executable=("bootstrap",),
            Runtime="provided.al2023",
            Timeout=60,
        )

    def invoke(self, name: str, do: str, n: int, **more: Any) -> None:
        """The answer must be the caller's own, or tell the failure that was asked for."""
        response = self.user.lambda_.invoke(
            FunctionName=name, Payload=json.dumps({"do": do, "n": n, **more})
        )
        request = response["ResponseMetadata"]["RequestId"]
        payload = json.loads(response["Payload"].read())
        expected = EXPECTED.get(more.get("order", do))
        if expected is None:
            assert payload == [n, request]
            return
        assert response["FunctionError"] == "Unhandled"
        found = payload["errorType"], payload["errorMessage"]
        assert found == (expected[0], expected[1].format(id=request, n=n))

    def stream(self, do: str, n: int) -> None:
        """All that was sent must arrive, and nothing that was sent to others."""
        response = self.user.lambda_.invoke_with_response_stream(
            FunctionName="streamer", Payload=json.dumps({"do": do, "n": n})
        )
        with contextlib.closing(response["EventStream"]) as events:
            *chunks, last = list(events)
        body = b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks)
        assert set(body.split(b";")) <= {str(n).encode(), b""}
        error = {"fail": "Function.Bad", "exit": "Runtime.TruncatedResponse"}.get(do)
        assert last["InvokeComplete"].get("ErrorCode") == error
        if error is None:
            assert body.count(b";") == 1 + 12_501 + 125_001

    def leave(self, name: str, n: int, *, streaming: bool) -> None:
        payload = json.dumps({"do": "nothing", "n": n})
        caller = raw_calls.call(self.daemon.endpoint_url, name, payload, streaming=streaming)
        if n % 2:
            caller.recv(1)
        caller.close()

    def settled(self, name: str) -> Counter[str]:
        """The counts once what began has ended: the log is written behind the answers."""
        counts = self.counted(name)
        for _ in range(50):
            if counts["START"] == counts["REPORT"]:
                break
            counts = self.counted(name)
        return counts

    def counted(self, name: str) -> Counter[str]:
        """How often the platform's lines are in a log."""
        pages = self.user.logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{name}"
        )
        return Counter(
            event["message"].split()[0]
            for page in pages
            for event in page["events"]
            if event["message"].startswith(("START RequestId", "END RequestId", "REPORT RequestId"))
        )


_EXIT = "RequestId: {id} Error: Runtime exited with error: "
EXPECTED = {
    "error": ("ValueError", "{n}"),
    "exit": ("Runtime.ExitError", _EXIT + "exit status 7"),
    "kill": ("Runtime.ExitError", _EXIT + "signal: killed"),
    "memory": ("Runtime.ExitError", _EXIT + "signal: killed"),
    "sleep": ("Sandbox.Timedout", "RequestId: {id} Error: Task timed out after 1.00 seconds"),
    "large": (
        "Function.ResponseSizeTooLarge",
        "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    ),
    "crash": ("Extension.Crash", "RequestId: {id} Error: exit status 7"),
}
# How many of a hundred invocations or so are of which kind.
KINDS: dict[str, tuple[int, Callable[[World, int], None]]] = {
    "answer": (50, lambda world, n: world.invoke("plain", "nothing", n)),
    "error": (8, lambda world, n: world.invoke("plain", "error", n)),
    "exit": (4, lambda world, n: world.invoke("plain", "exit", n)),
    "kill": (3, lambda world, n: world.invoke("plain", "kill", n)),
    "memory": (2, lambda world, n: world.invoke("plain", "memory", n)),
    "timeout": (1, lambda world, n: world.invoke("sleepy", "sleep", n)),
    "large": (1, lambda world, n: world.invoke("plain", "large", n)),
    "leave": (5, lambda world, n: world.leave("plain", n, streaming=False)),
    "stream": (8, lambda world, n: world.stream("nothing", n)),
    "stream fails": (3, lambda world, n: world.stream("fail", n)),
    "stream exits": (2, lambda world, n: world.stream("exit", n)),
    "stream left": (3, lambda world, n: world.leave("streamer", n, streaming=True)),
    "extension": (
        8,
        lambda world, n: world.invoke("extended", "extension", n, order="go"),
    ),
    "extension crashes": (
        2,
        lambda world, n: world.invoke("extended", "extension", n, order="crash"),
    ),
}


def run(world: World, invocations: int) -> Counter[str]:
    """Call from many threads; returns how many there were of each kind."""
    draw = random.Random(SEED)  # noqa: S311 - it is to be repeatable
    names, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
    kinds = draw.choices(names, weights, k=invocations)

    def one(n: int) -> None:
        try:
            KINDS[kinds[n]][1](world, n)
        except AssertionError as wrong:
            raise AssertionError(f"{kinds[n]}, number {n} of seed {SEED}") from wrong

    with ThreadPoolExecutor(CALLERS) as callers:
        for _ in callers.map(one, range(invocations)):
            pass
    return Counter(kinds)


@pytest.mark.timeout(180 + INVOCATIONS // 5)
def test_nothing_leaks_and_nobody_gets_a_wrong_answer(tmp_path: Path) -> None:
    # What is made ahead for functions to come would look like a leak.
    nothing_ahead = {"LAMBDAD_PREWARM_MOST": "0", "LAMBDAD_SANDBOX_PREPARED": "0"}
    daemon = DaemonProcess(tmp_path / "data", environ=nothing_ahead)
    with daemon:
        world = World(daemon, Deployer(daemon.endpoint_url))
        host = Range(daemon, world.user, tmp_path)
        empty = host.holdings()
        world.deploy()
        run(world, 40)  # so that what is held once and for all is held
        host.settle()
        before = host.holdings()
        # Whoever sees no leak must be able to see what is there.
        assert before.processes
        assert before.cgroups
        kinds = run(world, INVOCATIONS)
        host.settle()
        after = host.holdings()
        # The long form is run for its figures: pytest -s shows them.
        print(dict(kinds), before.resident_kib, after.resident_kib)  # noqa: T201
        for name in FUNCTIONS:
            counts = world.settled(name)
            assert counts["START"] == counts["END"] == counts["REPORT"], (name, counts)
        # No environment is stuck: all of them can be had at once.
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(lambda n: world.invoke("plain", "nothing", n), range(4 * CALLERS)))
        assert after.resident_kib - before.resident_kib < GROWTH_KIB_MAX
        for name in FUNCTIONS:
            world.user.lambda_.delete_function(FunctionName=name)
        host.settle(idle=0)
        for _ in asking():  # the kernel takes its time to detach a file system
            left = host.holdings()
            if not left.beyond(empty):
                break
        assert left.beyond(empty) == {}
        assert left.descriptors - empty.descriptors < GROWTH_DESCRIPTORS_MAX
    assert "Traceback" not in daemon.stderr, daemon.stderr
