"""Many environments at once, and many one after the other."""

from __future__ import annotations

import json
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, RUNTIME, Deployer, zip_of
from lambdad.testing.leaks import Holdings, holdings

pytestmark = [pytest.mark.root, pytest.mark.slow]

# `make test` runs a shorter form; set to 3000 for the full one.
CYCLES = int(os.environ.get("TEST_CYCLES", "150"))
# Descriptors.
OPENED_LATER = 8

ACCESS_POINT = (
    "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
)
WAITING = """
import os, time
ID = os.urandom(8).hex()
def handler(event, context):
    while not os.path.exists("/mnt/gate/open"):
        time.sleep(0.1)
    return [event, ID]
"""


def health(daemon: DaemonProcess, part: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{daemon.endpoint_url}/_lambdad/health") as answer:  # noqa: S310
        counts: dict[str, int] = json.load(answer)[part]
    return counts


def environments(daemon: DaemonProcess) -> dict[str, int]:
    return health(daemon, "environments")


def await_quiet(daemon: DaemonProcess, waiting: int = 0) -> None:
    """Each question is answered when the daemon has time: when it says 0, it is so."""
    for _ in asking():
        made_ahead = sum(health(daemon, "prewarmed").values())
        if not any(environments(daemon).values()) and made_ahead == waiting:
            return
    raise AssertionError(environments(daemon))


@pytest.fixture
def gate() -> Iterator[Path]:
    """A directory that functions may look into; they go on when something is there."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_200_concurrent_requests_get_200_environments_and_none_stays(
    start: Callable[..., DaemonProcess], tmp_path: Path, gate: Path
) -> None:
    settings = tmp_path / "lambdad.toml"
    settings.write_text(f'[filesystems]\n"{ACCESS_POINT}" = "{gate}"\n')
    # What waits for functions to come would look like a leak.
    daemon = start(
        "--config", str(settings), LAMBDAD_PREWARM_MOST="0", LAMBDAD_SANDBOX_PREPARED="0"
    )
    user = Deployer(daemon.endpoint_url)
    mounts = [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/gate"}]
    user.deploy("slow", WAITING, Timeout=120, FileSystemConfigs=mounts)
    before = holdings(daemon.data_dir, daemon.pid)
    with ThreadPoolExecutor(200) as pool:
        answers = [pool.submit(user.invoke, "slow", number) for number in range(200)]
        while environments(daemon)["busy"] < 200 and not any(each.done() for each in answers):
            time.sleep(0.05)
        (gate / "open").touch()
        payloads = [each.result().payload for each in answers]
    assert [number for number, _ in payloads] == list(range(200))
    assert len({environment for _, environment in payloads}) == 200
    # An environment is idle when its runtime asks again, which is after the answer.
    assert any(environments(daemon)["idle"] == 200 for _ in asking())
    user.lambda_.delete_function(FunctionName="slow")
    await_quiet(daemon)
    after = holdings(daemon.data_dir, daemon.pid)
    assert after.beyond(before) == {}
    # The client's kept connections, and files that services open when they are first used.
    assert after.descriptors <= before.descriptors + 200 + OPENED_LATER


@pytest.mark.parametrize("waiting", [0, 2])
def test_create_invoke_delete_leaves_nothing(
    start: Callable[..., DaemonProcess], waiting: int
) -> None:
    """But as many environments as are kept ready."""
    daemon = start(LAMBDAD_PREWARM_MOST=str(waiting), LAMBDAD_SANDBOX_PREPARED="0")
    user = Deployer(daemon.endpoint_url)
    package = zip_of({"app.py": "def handler(event, context):\n    return event\n"})

    def cycle(number: int) -> None:
        name = f"cycle-{number}"
        user.lambda_.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": package},
        )
        user.lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
        assert user.invoke(name, number).payload == number
        user.lambda_.delete_function(FunctionName=name)

    def settled() -> Holdings:
        await_quiet(daemon, waiting)
        return holdings(daemon.data_dir, daemon.pid)

    for number in range(30):
        cycle(number)
    before = settled()
    for number in range(30, 30 + CYCLES):
        cycle(number)
    after = settled()
    # Those that wait now are others than those that waited then, but as many.
    for kind in ("processes", "mounts", "cgroups", "loops", "links"):
        assert len(getattr(after, kind)) <= len(getattr(before, kind)), after.beyond(before)
    # A service opens its files when it is first used, CloudWatch by itself some time after the
    # start; a descriptor that is lost each cycle is far more.
    assert after.descriptors <= before.descriptors + OPENED_LATER
    # Caches fill for some two thousand cycles; a leak of a kilobyte a cycle would still show.
    assert after.resident_kib < before.resident_kib + 12 * 1024
