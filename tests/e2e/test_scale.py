"""Many environments at once, and many one after the other."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, RUNTIME, Deployer, zip_of
from lambdad.testing.leaks import Holdings, holdings

pytestmark = [pytest.mark.root, pytest.mark.slow]

# `make test` runs a shorter form; set to 3000 for the full one.
CYCLES = int(os.environ.get("TEST_CYCLES", "150"))


def health(daemon: DaemonProcess, part: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{daemon.endpoint_url}/_lambdad/health") as answer:  # noqa: S310
        counts: dict[str, int] = json.load(answer)[part]
    return counts


def environments(daemon: DaemonProcess) -> dict[str, int]:
    return health(daemon, "environments")


def await_quiet(daemon: DaemonProcess, waiting: int = 0) -> None:
    """Each question is answered when the daemon has time: when it says 0, it is so."""
    for _ in range(20_000):
        made_ahead = sum(health(daemon, "prewarmed").values())
        if not any(environments(daemon).values()) and made_ahead == waiting:
            return
    raise AssertionError(environments(daemon))


def test_200_concurrent_requests_get_200_environments_and_none_stays(
    start: Callable[..., DaemonProcess],
) -> None:
    # What waits for functions to come would look like a leak.
    daemon = start(LAMBDAD_DATAPLANE_IDLE_TIMEOUT_S="20", LAMBDAD_PREWARM_MOST="0")
    user = Deployer(daemon.endpoint_url)
    user.deploy(
        "slow",
        "import os, time\nID = os.urandom(8).hex()\n"
        "def handler(event, context):\n    time.sleep(1)\n    return [event, ID]\n",
    )
    before = holdings(daemon.data_dir, daemon.pid)
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda n: user.invoke("slow", n).payload, range(200)))
    assert [n for n, _ in answers] == list(range(200))
    assert len({environment for _, environment in answers}) >= 190
    daemon_idle = environments(daemon)["idle"]
    assert daemon_idle == len({environment for _, environment in answers})
    user.lambda_.delete_function(FunctionName="slow")
    await_quiet(daemon)
    after = holdings(daemon.data_dir, daemon.pid)
    assert after.beyond(before) == {}
    assert after.descriptors <= before.descriptors + 200  # the client's kept connections


@pytest.mark.parametrize("waiting", [0, 2])
def test_create_invoke_delete_leaves_nothing(
    start: Callable[..., DaemonProcess], waiting: int
) -> None:
    """But as many environments as are kept ready."""
    daemon = start(LAMBDAD_PREWARM_MOST=str(waiting))
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
    assert after.descriptors <= before.descriptors + 8
    # Caches fill for some two thousand cycles; a leak of a kilobyte a cycle would still show.
    assert after.resident_kib < before.resident_kib + 12 * 1024
