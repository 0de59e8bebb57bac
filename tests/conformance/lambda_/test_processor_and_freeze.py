"""What a function gets of the processor while it works, and that it gets nothing while it waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.domain.clock import SystemClock
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer, zip_of
from lambdad.testing.leaks import holdings

pytestmark = [pytest.mark.root, pytest.mark.slow]

MB_PER_VCPU = 1_769
WINDOW_S = 0.5

# As many processes as there are vCPUs, and one more, do nothing but work.
SPINNER = """
import os, time
def handler(event, context):
    begun, before = time.monotonic(), os.times()
    children = []
    for _ in range(event["processes"]):
        child = os.fork()
        if child == 0:
            while time.monotonic() - begun < event["seconds"]:
                pass
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    after = os.times()
    used = sum(after[:4]) - sum(before[:4])
    return used / (time.monotonic() - begun)
"""

BUSY = """
import threading, time
beats = 0
def work():
    global beats
    while True:
        beats += 1
threading.Thread(target=work, daemon=True).start()
def handler(event, context):
    first = beats
    time.sleep(0.3)
    return {"before": first, "after": beats, "wall": time.time(), "steady": time.monotonic()}
"""
BUSY_EXTENSION = """#!/usr/bin/env python3
import http.client, json, os, threading
def call(method, tail, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request(method, "/2020-01-01/extension/" + tail, body, headers)
    answer = api.getresponse()
    answer.read()
    return answer.headers
def work():
    while True:
        pass
headers = call("POST", "register", '{"events":["INVOKE"]}', Lambda_Extension_Name="companion")
me = {"Lambda_Extension_Identifier": headers["Lambda-Extension-Identifier"]}
threading.Thread(target=work, daemon=True).start()
while True:
    call("GET", "event/next", **me)
"""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that makes nothing ahead, so that all processor time is the functions'."""
    data = tmp_path_factory.mktemp("processor") / "data"
    with DaemonProcess(data, environ={"LAMBDAD_PREWARM_MOST": "0"}) as daemon:
        yield daemon


@pytest.mark.parametrize("memory_mb", [128, MB_PER_VCPU, 2 * MB_PER_VCPU])
def test_processor_time_is_in_proportion_to_memory(quiet: DaemonProcess, memory_mb: int) -> None:
    """Never more; on a host where others work, too, it may be less."""
    user = Deployer(quiet.endpoint_url)
    name = f"spinner-{memory_mb}"
    user.deploy(name, SPINNER, MemorySize=memory_mb, Timeout=60)
    event = {"seconds": 0.05, "processes": 1}
    user.invoke(name, event)  # the first has the unbounded time of init before it
    vcpus = memory_mb / MB_PER_VCPU
    event = {"seconds": 3, "processes": int(vcpus) + 1}
    share: Any = user.invoke(name, event).payload
    # The kernel accounts in slices of some milliseconds, and os.times in hundredths of a second.
    assert share <= vcpus * 1.08 + 0.02
    assert share >= vcpus * 0.05


def test_frozen_functions_and_extensions_use_no_processor_time(quiet: DaemonProcess) -> None:
    user = Deployer(quiet.endpoint_url)
    place = "extensions/companion"
    layer = user.lambda_.publish_layer_version(
        LayerName="companion",
        Content={"ZipFile": zip_of({place: BUSY_EXTENSION}, executable=(place,))},
    )["LayerVersionArn"]
    user.deploy("busy", BUSY, Layers=[layer], MemorySize=MB_PER_VCPU)
    clock = SystemClock()
    first: Any = user.invoke("busy").payload
    assert first["after"] > first["before"]
    assert any(used_ns(quiet.data_dir, WINDOW_S) == 0 for _ in range(10))
    asked = clock.monotonic()
    second: Any = user.invoke("busy").payload
    # Work in the background goes on where it stood, and the clocks did not stop.
    assert second["before"] >= first["after"]
    assert second["after"] > second["before"]
    for name in ("wall", "steady"):
        assert second[name] - first[name] >= WINDOW_S
    assert clock.monotonic() >= asked


def used_ns(data_dir: Path, window_s: float) -> int:
    """Processor time of all environments of a daemon in a stretch of time."""
    before = usage_ns(data_dir)
    threading.Event().wait(window_s)
    return usage_ns(data_dir) - before


def usage_ns(data_dir: Path) -> int:
    """Of every thread of every process in the sandboxes of a daemon, as the scheduler counts it."""
    total = 0
    for process in holdings(data_dir).processes:
        for thread in Path(f"/proc/{process}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
    assert total > 0, "no process is in a sandbox"
    return total
