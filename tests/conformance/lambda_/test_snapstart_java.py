"""SnapStart of Java functions: a JVM with its threads goes on in other sandboxes."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, zip_of
from lambdad.testing.languages import CACHE
from lambdad.testing.versions import VersionOwner

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(180)]

RUNTIME = "java17"
CLIENT = CACHE / "java-client"
SOURCE = Path(__file__).parent / "java" / "Restored.java"
SNAPSTART = {"ApplyOn": "PublishedVersions"}
QUICKLY = {"Delay": 0.1, "MaxAttempts": 900}


class Owner(VersionOwner):
    """Publishes versions of one package, which does what its variables say."""

    package = b""

    def publish(self, name: str, **variables: str) -> dict[str, Any]:
        """Create a function and its first version, and wait until that is not pending."""
        self.lambda_.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Handler="example.Restored::handle",
            Role=ROLE,
            Code={"ZipFile": self.package},
            SnapStart=SNAPSTART,
            MemorySize=512,
            Timeout=20,
            Publish=True,
            Environment={"Variables": variables},
        )
        waiter = self.lambda_.get_waiter("published_version_active")
        with contextlib.suppress(Exception):
            waiter.wait(FunctionName=name, Qualifier="1", WaiterConfig=QUICKLY)
        return self.lambda_.get_function_configuration(FunctionName=name, Qualifier="1")


def package_of(directory: Path) -> Mapping[str, bytes]:
    compiler = shutil.which("javac")
    if compiler is None or not CLIENT.is_dir():
        pytest.skip("a JDK or AWS's client is not on this host (scripts/install_runtimes)")
    jars = ":".join(str(jar) for jar in sorted(CLIENT.glob("*.jar")))
    command = [compiler, "--release", "11", "-cp", jars, "-d", str(directory), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True)
    files = {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*.class")
    }
    return {**files, "lines.txt": b"one\ntwo\nthree\n"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    directory = tmp_path_factory.mktemp("snapstart-java")
    Owner.package = zip_of(package_of(directory / "classes"))
    settings = {"LAMBDAD_RUNTIMES_JAVA_CLIENT": str(CLIENT), "LAMBDAD_RUNTIMES_FALLBACK": "true"}
    with DaemonProcess(directory / "data", environ=settings) as daemon:
        yield daemon
    assert "Traceback" not in daemon.stderr, daemon.stderr


@pytest.fixture(scope="module")
def owner(daemon: DaemonProcess) -> Owner:
    return Owner(daemon.endpoint_url)


def image(daemon: DaemonProcess) -> Path:
    """The file without a name that is the daemon's one snapshot."""
    place = str(daemon.data_dir / "snapshots")
    for each in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if str(each.readlink()).startswith(place):
                return each
    raise AssertionError("there is no snapshot")


def test_copies_go_on_with_heap_threads_and_files(owner: Owner) -> None:
    version = owner.publish("restored")
    assert version["State"] == "Active"
    assert version["SnapStart"] == {**SNAPSTART, "OptimizationStatus": "On"}, owner.written(
        "restored", "SnapStart"
    )
    answers = owner.at_once("restored", 2, hold=700)
    one, other = (payload for payload, _ in answers)
    for payload, log in answers:
        assert "\tRestore Duration: " in log
        assert "\tBilled Restore Duration: " in log
        assert "Init Duration" not in log
        assert payload["calls"] == ["before", "after"]
        assert payload["table"] == "20000777"
        assert (payload["ticks"], payload["worker"], payload["pool"]) == (True, "asked!", 42)
        assert payload["selector"]
        assert (payload["line"], payload["late"]) == ("two", True)
        assert payload["connection"] == "-1"
        assert payload["type"] == "snap-start"
        assert payload["streams"][0] == payload["streams"][1]
        assert not payload["private"]
    assert one["mine"] == other["mine"], "both go on with one init"
    assert one["streams"] != other["streams"]
    assert not set(map(str, one["random"])) & set(map(str, other["random"]))


def test_a_copy_is_a_jvm_like_others(owner: Owner) -> None:
    for _ in range(20):
        payload, log = owner.call("restored", collect=True)
        assert payload["table"] == "20000777"
        assert payload["faults"] == ["too deep", "no text", "by zero"]
        assert "Restore Duration" not in log, "it is warm"


def test_the_log_tells_inits_from_restores(owner: Owner) -> None:
    lines = owner.written("restored", "RESTORE_REPORT")
    assert sum(line == "the class is initialised\n" for line in lines) == 1
    assert sum(line.startswith("INIT_REPORT Init Duration: ") for line in lines) == 1
    restored = sum(line.startswith("RESTORE_START Runtime Version: java:") for line in lines)
    assert restored == sum(line == "a hook runs\n" for line in lines) == 2


def test_latest_is_never_restored(owner: Owner) -> None:
    payload, log = owner.call("restored", "$LATEST")
    assert (payload["type"], payload["calls"]) == ("on-demand", [])
    assert "\tInit Duration: " in log


def test_where_an_image_is_of_no_use_the_function_is_initialised(
    owner: Owner, daemon: DaemonProcess
) -> None:
    file = image(daemon)
    with file.open("r+b") as damaged:
        # Of the area, whose number of steps is then beyond all bounds.
        damaged.seek(-48, 2)
        damaged.write(b"\xff" * 8)
    answers = owner.at_once("restored", 6, hold=700)
    initialised = [payload for payload, log in answers if "Restore Duration" not in log]
    assert any(payload["calls"] == ["before", "after"] for payload in initialised)
    lines = owner.written("restored", "Status: error\tError Type: Sandbox.Failure")
    assert any("lambdad: step " in line for line in lines)
    assert all(payload["table"] == "20000777" for payload, _ in answers)


def test_threads_that_are_slow_to_stop_are_waited_for(owner: Owner) -> None:
    version = owner.publish("busy", HOLDS="threads")
    assert version["State"] == "Active"
    assert version["SnapStart"]["OptimizationStatus"] == "On"
    payload, log = owner.call("busy")
    assert payload["table"] == "20000777"
    assert "Restore Duration" in log


@pytest.mark.parametrize(
    ("holds", "reason"),
    [
        ("process", "Other processes are running that it has started."),
        ("pipe", "Something is open that no copy has (pipe:["),
        ("file", "There are files in /tmp, which no copy has."),
    ],
)
def test_what_no_snapshot_can_hold_is_off_and_says_why(
    owner: Owner, holds: str, reason: str
) -> None:
    version = owner.publish(f"holds-{holds}", HOLDS=holds)
    assert version["State"] == "Active"
    assert version["SnapStart"]["OptimizationStatus"] == "Off"
    lines = owner.written(f"holds-{holds}", "SnapStart is off")
    assert any(reason in line for line in lines), lines
    assert owner.call(f"holds-{holds}")[0]["held"]


def test_a_hook_that_fails_before_the_snapshot_fails_the_version(owner: Owner) -> None:
    version = owner.publish("fails-before", FAILS="before")
    assert (version["State"], version["StateReasonCode"]) == ("Failed", "FunctionError")
    lines = owner.written("fails-before", "INIT_REPORT")
    assert any("it cannot stop" in line for line in lines)
    assert any("\tError Type: Runtime.BeforeCheckpointError" in line for line in lines)


def test_a_hook_that_fails_after_a_restore_refuses_the_invocation(owner: Owner) -> None:
    assert owner.publish("fails-after", FAILS="after")["State"] == "Active"
    with pytest.raises(ClientError) as refused:
        owner.call("fails-after")
    assert refused.value.response["Error"]["Code"] == "SnapStartException"
    lines = owner.written("fails-after", "RESTORE_REPORT")
    assert any("there is no database" in line for line in lines)
    assert any("\tError Type: Runtime.AfterRestoreError" in line for line in lines)
