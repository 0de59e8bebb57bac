"""SnapStart as users see it: published versions that are restored instead of initialised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, zip_of
from lambdad.testing.versions import VersionOwner

pytestmark = [pytest.mark.root, pytest.mark.slow]

# AWS has no SnapStart for earlier ones; another one may stand in for it.
RUNTIME = "python3.12"
SNAPSTART = {"ApplyOn": "PublishedVersions"}
QUICKLY = {"Delay": 0.1, "MaxAttempts": 600}

UNIQUE = """
import os, random, tempfile, time, uuid

import boto3
from snapshot_restore_py import register_after_restore, register_before_snapshot

print("the module is imported")
CALLS = []
MINE = str(uuid.uuid4())
STS = boto3.client("sts")
# It keeps a connection, and has credentials.
STS.get_caller_identity()

@register_before_snapshot
def first():
    CALLS.append("before: registered first")

register_before_snapshot(CALLS.append, "before: registered last")
register_after_restore(CALLS.append, "after: registered first")

@register_after_restore
def last(end="last"):
    CALLS.append("after: registered " + end)
    print("a hook runs")

def handler(event, context):
    time.sleep(event.get("hold", 0))
    return {
        "mine": MINE,
        "calls": CALLS,
        "random": [random.random(), os.urandom(8).hex(), str(uuid.uuid4()), tempfile.mktemp()],
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "streams": [os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], context.log_stream_name],
        "keys": sorted(name for name in os.environ if "ACCESS_KEY" in name or "CONTAINER" in name),
        "arn": STS.get_caller_identity()["Arn"],
    }
"""
BROKEN = """
import time
time.sleep(1)
raise RuntimeError("as it is")
def handler(event, context): ...
"""
THREADED = """
import threading
threading.Thread(target=threading.Event().wait, name="of-its-own", daemon=True).start()
def handler(event, context):
    return "served"
"""
HOOK_FAILS = """
from snapshot_restore_py import register_after_restore

@register_after_restore
def connect():
    raise ConnectionError("there is no database")

def handler(event, context): ...
"""


class Owner(VersionOwner):
    """Publishes versions."""

    def publish(self, name: str, source: str) -> None:
        """Create a function and its first version, and wait until that is active."""
        self.begin(name, source)
        waiter = self.lambda_.get_waiter("published_version_active")
        waiter.wait(FunctionName=name, Qualifier="1", WaiterConfig=QUICKLY)

    def begin(self, name: str, source: str) -> dict[str, Any]:
        """Create a function and its first version."""
        return self.lambda_.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": zip_of({"app.py": source})},
            SnapStart=SNAPSTART,
            MemorySize=256,
            Timeout=20,
            Publish=True,
        )

    def version(self, name: str, version: str = "1") -> dict[str, Any]:
        return self.lambda_.get_function_configuration(FunctionName=name, Qualifier=version)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("snapstart") / "data"


def a_daemon(place: Path) -> DaemonProcess:
    return DaemonProcess(place, environ={"LAMBDAD_RUNTIMES_FALLBACK": "true"})


@pytest.fixture(scope="module")
def daemon(place: Path) -> Iterator[DaemonProcess]:
    with a_daemon(place) as daemon:
        yield daemon
    assert "Traceback" not in daemon.stderr, daemon.stderr


@pytest.fixture(scope="module")
def owner(daemon: DaemonProcess) -> Owner:
    return Owner(daemon.endpoint_url)


def snapshots(daemon: DaemonProcess) -> int:
    """How many the daemon has: files without a name."""
    descriptors = Path(f"/proc/{daemon.pid}/fd")
    place = str(daemon.data_dir / "snapshots")
    links = []
    for each in descriptors.iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(each.readlink()))
    return sum(link.startswith(place) for link in links)


def test_versions_are_restored_from_a_snapshot(owner: Owner) -> None:
    owner.publish("snapstart-unique", UNIQUE)
    version = owner.version("snapstart-unique")
    assert version["SnapStart"] == {**SNAPSTART, "OptimizationStatus": "On"}
    assert version["State"] == "Active"
    answers = owner.at_once("snapstart-unique", 2, hold=0.5)
    one, other = (payload for payload, _ in answers)
    for payload in (one, other):
        assert payload["type"] == "snap-start"
        assert payload["calls"] == [
            "before: registered last",
            "before: registered first",
            "after: registered first",
            "after: registered last",
        ]
        assert payload["streams"][0] == payload["streams"][1]
        assert payload["keys"] == [
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ]
        # By a client that was used before the snapshot.
        assert payload["arn"].endswith(":assumed-role/r/snapstart-unique")
    assert one["mine"] == other["mine"], "both go on with one init"
    assert one["streams"] != other["streams"]
    assert not set(one["random"]) & set(other["random"])
    for _, log in answers:
        assert "\tRestore Duration: " in log
        assert "\tBilled Restore Duration: " in log
        assert "Init Duration" not in log


def test_the_log_tells_inits_from_restores(owner: Owner) -> None:
    _, log = owner.call("snapstart-unique")
    assert "Restore Duration" not in log, "it is warm"
    lines = owner.written("snapstart-unique", "RESTORE_REPORT")
    assert sum(line == "the module is imported\n" for line in lines) == 1
    assert sum(line.startswith("INIT_REPORT Init Duration: ") for line in lines) == 1
    restored = sum(line.startswith("RESTORE_START Runtime Version: python:") for line in lines)
    assert restored == sum(line == "a hook runs\n" for line in lines) >= 2


def test_latest_is_never_restored(owner: Owner) -> None:
    latest = owner.lambda_.get_function_configuration(FunctionName="snapstart-unique")
    assert latest["SnapStart"] == {**SNAPSTART, "OptimizationStatus": "Off"}
    payload, log = owner.call("snapstart-unique", "$LATEST")
    assert (payload["type"], payload["calls"]) == ("on-demand", [])
    assert "\tInit Duration: " in log


def test_an_alias_leads_to_it_and_excludes_provisioned_concurrency(owner: Owner) -> None:
    owner.lambda_.create_alias(FunctionName="snapstart-unique", Name="live", FunctionVersion="1")
    payload, _ = owner.call("snapstart-unique", "live")
    assert payload["type"] == "snap-start"
    with pytest.raises(ClientError, match="not supported for SnapStart enabled functions"):
        owner.lambda_.put_provisioned_concurrency_config(
            FunctionName="snapstart-unique",
            Qualifier="live",
            ProvisionedConcurrentExecutions=1,
        )


def test_a_version_whose_init_fails_is_failed(owner: Owner) -> None:
    begun = owner.begin("snapstart-broken", BROKEN)
    assert (begun["State"], begun["StateReasonCode"]) == ("Pending", "Creating")
    with pytest.raises(
        ClientError, match=r"SnapStartNotReadyException.* initializing your function"
    ):
        owner.call("snapstart-broken")
    waiter = owner.lambda_.get_waiter("published_version_active")
    with pytest.raises(WaiterError):
        waiter.wait(FunctionName="snapstart-broken", Qualifier="1", WaiterConfig=QUICKLY)
    version = owner.version("snapstart-broken")
    assert (version["State"], version["StateReasonCode"]) == ("Failed", "FunctionError")
    with pytest.raises(ClientError, match=r"ResourceConflictException.* state: Failed"):
        owner.call("snapstart-broken")
    lines = owner.written("snapstart-broken", "INIT_REPORT")
    assert any("as it is" in line for line in lines)


def test_a_hook_that_fails_before_the_snapshot_fails_the_version(owner: Owner) -> None:
    owner.begin("snapstart-before", HOOK_FAILS.replace("after_restore", "before_snapshot"))
    lines = owner.written("snapstart-before", "INIT_REPORT")
    assert any("there is no database" in line for line in lines)
    assert any("\tError Type: Runtime.BeforeSnapshotError" in line for line in lines)
    assert any(owner.version("snapstart-before")["State"] == "Failed" for _ in asking())
    with pytest.raises(ClientError, match=r"following state: Failed"):
        owner.call("snapstart-before")


def test_what_no_snapshot_can_hold_is_off_and_says_why(owner: Owner) -> None:
    owner.publish("snapstart-threaded", THREADED)
    version = owner.version("snapstart-threaded")
    assert version["SnapStart"] == {**SNAPSTART, "OptimizationStatus": "Off"}
    assert owner.call("snapstart-threaded")[0] == "served"
    lines = owner.written("snapstart-threaded", "SnapStart is off")
    assert any("of-its-own" in line for line in lines)


def test_a_hook_that_fails_after_a_restore_refuses_the_invocation(owner: Owner) -> None:
    owner.publish("snapstart-hook", HOOK_FAILS)
    with pytest.raises(ClientError) as refused:
        owner.call("snapstart-hook")
    assert refused.value.response["Error"]["Code"] == "SnapStartException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    lines = owner.written("snapstart-hook", "RESTORE_REPORT")
    assert any("there is no database" in line for line in lines)
    assert any("\tError Type: Runtime.AfterRestoreError" in line for line in lines)


def test_a_deleted_version_leaves_no_snapshot(owner: Owner, daemon: DaemonProcess) -> None:
    before = snapshots(daemon)
    owner.lambda_.delete_function(FunctionName="snapstart-hook", Qualifier="1")
    assert snapshots(daemon) == before - 1


def test_after_a_restart_snapshots_are_made_anew(owner: Owner, daemon: DaemonProcess) -> None:
    before, _ = owner.call("snapstart-unique")
    assert daemon.stop() == 0
    assert not list((daemon.data_dir / "snapshots").iterdir())
    with a_daemon(daemon.data_dir) as successor:
        later = Owner(successor.endpoint_url)
        version = later.version("snapstart-unique")
        assert (version["State"], version["SnapStart"]["OptimizationStatus"]) == ("Active", "On")
        payload, _ = later.call("snapstart-unique")
        assert payload["type"] == "on-demand"
        assert payload["mine"] != before["mine"]
        for asked in asking():
            payload = later.at_once("snapstart-unique", 2 + asked, hold=0.5)[-1][0]
            if payload["type"] == "snap-start":
                return
        raise AssertionError("no snapshot was made anew")
