"""A host that is full of functions which really use their memory."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

# Keeps as much as it is told to; if it is to wait, until there is a function `go`.
HUNGRY = """
import os, time, urllib.error, urllib.request
KEPT = []

def is_there(name):
    try:
        url = os.environ["AWS_ENDPOINT_URL"] + "/2015-03-31/functions/" + name
        return urllib.request.urlopen(url).status == 200
    except urllib.error.HTTPError:
        return False

def handler(event, context):
    if "mib" in event:
        KEPT.append(os.urandom(1 << 20) * event["mib"])
    while event.get("wait") and not is_there("go"):
        time.sleep(0.05)
    return sum(map(len, KEPT)) >> 20
"""


def health(daemon: DaemonProcess) -> dict[str, dict[str, int]]:
    with urllib.request.urlopen(f"{daemon.endpoint_url}/_lambdad/health") as answer:  # noqa: S310
        document: dict[str, dict[str, int]] = json.load(answer)
    return document


def await_eviction(daemon: DaemonProcess) -> dict[str, dict[str, int]]:
    for _ in asking():
        document = health(daemon)
        if document["capacity"]["evictions"] and not document["environments"]["closing"]:
            return document
    raise AssertionError(document)


def test_idle_environments_make_room_then_429_then_all_is_well_again(
    start: Callable[..., DaemonProcess],
) -> None:
    daemon = start(LAMBDAD_DATAPLANE_MEMORY_MB="400")
    user = Deployer(daemon.endpoint_url)
    for name in ("a", "b", "c"):
        user.deploy(name, HUNGRY, MemorySize=256)
        assert user.invoke(name, {"mib": 150}).payload == 150
    # Three times 150 MiB are too much: seen when it is in use, within a second or two.
    document = await_eviction(daemon)
    assert document["environments"]["idle"] == 2
    assert 250 <= document["capacity"]["used_mb"] <= 400

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(user.invoke, name, {"wait": True}) for name in ("b", "c")]
        try:
            assert any(health(daemon)["environments"]["busy"] == 2 for _ in asking())
            with pytest.raises(ClientError) as refused:
                user.invoke("a", {"mib": 150})
        finally:
            user.deploy("go", HUNGRY)
        assert [job.result().payload for job in working] == [150, 150]
    error = refused.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert error["Error"]["Code"] == "TooManyRequestsException"
    assert error["Reason"] == "HostMemoryLimitExceeded"
    assert health(daemon)["capacity"]["refusals"] == 1

    assert user.invoke("a", {"mib": 150}).payload == 150, "in the place of one that is idle"
    document = health(daemon)
    assert document["capacity"]["evictions"] == 2, "made before it began: its needs are known"
    assert document["capacity"]["used_mb"] <= 400
    assert daemon.stop() == 0
    assert daemon.stderr.count("no environment for arn:aws:lambda") == 1
    assert "Traceback" not in daemon.stderr


def test_what_waits_for_a_function_counts_and_goes_first(
    start: Callable[..., DaemonProcess],
) -> None:
    daemon = start(
        LAMBDAD_DATAPLANE_MEMORY_MB="100",
        LAMBDAD_PREWARM_LEAST="3",
        LAMBDAD_PREWARM_MOST="3",
    )
    user = Deployer(daemon.endpoint_url)
    user.deploy("f", HUNGRY, MemorySize=128)
    user.deploy("big", HUNGRY, MemorySize=760)
    for _ in asking():
        # Those that are still being made cannot be given up.
        if sum(health(daemon)["prewarmed"].values()) == 3:
            break
    document = health(daemon)
    assert document["capacity"]["environments"] == 3, "made ahead, and counted"
    assert sum(document["environments"].values()) == 0
    assert user.invoke("big", {}).payload == 0, "takes 95 of 100 MiB"
    document = health(daemon)
    assert document["capacity"]["spares_given_up"] >= 1
    assert document["capacity"]["refusals"] == 0
