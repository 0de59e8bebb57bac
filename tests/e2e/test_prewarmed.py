"""Environments that were made before it was known for which function."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdad.sandbox.firewall import instance_of
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import RUNTIME, Deployer
from lambdad.testing.leaks import Holdings, holdings

pytestmark = [pytest.mark.root, pytest.mark.slow]

TELL = """
import os, random, sys, uuid
TOLD = {name: os.environ.get(name) for name in ("MINE", "AWS_SESSION_TOKEN", "PYTHONHASHSEED")}
def handler(event, context):
    return {**TOLD, "random": random.random(), "uuid": str(uuid.uuid4()), "parent": os.getppid(),
            "log": context.log_stream_name, "opt": sorted(os.listdir("/opt")),
            "hash": hash("x")}
"""


def prewarmed(endpoint_url: str) -> dict[str, int]:
    url = f"{endpoint_url}/_lambdad/health"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own daemon
        found: dict[str, int] = json.load(answer)["prewarmed"]
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.02)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data") as daemon:
        yield daemon


def test_functions_in_environments_that_waited_are_like_any_other(daemon: DaemonProcess) -> None:
    """Their own variables, credentials, randomness and logs; one environment is never two's."""
    user = Deployer(daemon.endpoint_url)
    for name in ("one", "two"):
        user.deploy(name, TELL, Environment={"Variables": {"MINE": name}})
    wait_for(lambda: prewarmed(daemon.endpoint_url).get(RUNTIME, 0) >= 2)
    one, two = (user.invoke(name).payload for name in ("one", "two"))
    assert (one["MINE"], two["MINE"]) == ("one", "two")
    for field in ("AWS_SESSION_TOKEN", "random", "uuid", "log"):
        assert one[field] != two[field], field
    assert one["opt"] == two["opt"] == []
    assert user.invoke("one").payload["log"] == one["log"]


def test_variables_that_an_interpreter_reads_at_its_start_are_heeded(daemon: DaemonProcess) -> None:
    """Then it is started for this function alone."""
    user = Deployer(daemon.endpoint_url)
    user.deploy("seeded", TELL, Environment={"Variables": {"PYTHONHASHSEED": "7"}})
    user.deploy("other", TELL, Environment={"Variables": {"PYTHONHASHSEED": "7"}})
    user.deploy("free", TELL)
    wait_for(lambda: prewarmed(daemon.endpoint_url).get(RUNTIME, 0) >= 2)
    seeded, other, free = (user.invoke(name).payload for name in ("seeded", "other", "free"))
    assert seeded["hash"] == other["hash"] != free["hash"]


def test_an_environment_that_died_waiting_is_replaced(daemon: DaemonProcess) -> None:
    """It is no function's fault, so no function is told."""
    user = Deployer(daemon.endpoint_url)
    user.deploy("one", TELL)
    wait_for(lambda: prewarmed(daemon.endpoint_url).get(RUNTIME, 0) >= 2)
    waiting = waiting_processes(daemon)
    assert len(waiting) >= 2
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    answer = user.invoke("one")
    assert (answer.error, answer.payload["MINE"]) == (None, None)


def test_memory_for_functions_comes_first(tmp_path: Path) -> None:
    """What waits is given up when a function needs the room."""
    settings = {"LAMBDAD_DATAPLANE_MEMORY_MB": "300", "LAMBDAD_DATAPLANE_MEMORY_OVERCOMMIT": "1"}
    with DaemonProcess(tmp_path / "data", environ=settings) as daemon:
        user = Deployer(daemon.endpoint_url)
        user.deploy("large", TELL, MemorySize=290)
        wait_for(lambda: prewarmed(daemon.endpoint_url).get(RUNTIME, 0) >= 2)
        user.deploy("other", TELL, MemorySize=128)
        assert user.invoke("large").error is None
        assert user.invoke("other").error is None


def test_environments_wait_again_after_a_restart(tmp_path: Path) -> None:
    """For the functions that are there; nobody has to be the first."""
    with DaemonProcess(tmp_path / "data") as daemon:
        Deployer(daemon.endpoint_url).deploy("one", TELL)
    with DaemonProcess(tmp_path / "data") as again:
        wait_for(lambda: prewarmed(again.endpoint_url).get(RUNTIME, 0) >= 2)


def test_nothing_is_left_of_what_waited(tmp_path: Path) -> None:
    """After a stop, and after a kill and the next start."""
    data = tmp_path / "data"
    for end in ("stop", "kill"):
        daemon = DaemonProcess(data).start()
        url = daemon.endpoint_url
        Deployer(url).deploy(end, TELL)
        wait_for(lambda url=url: prewarmed(url).get(RUNTIME, 0) >= 2)  # type: ignore[misc]
        getattr(daemon, end)()
    DaemonProcess(data).start().stop()
    assert holdings(data) == Holdings(
        processes=frozenset(),
        mounts=frozenset(),
        cgroups=frozenset(),
        loops=frozenset(),
        links=frozenset(),
    )


def waiting_processes(daemon: DaemonProcess) -> list[int]:
    """The runtimes in environments of a daemon that has none but those that wait."""
    instance = instance_of(daemon.data_dir.absolute() / "sandbox" / "native")
    groups = Path("/sys/fs/cgroup").glob(f"*/lambdad/{instance}/*/cgroup.procs")
    pids = {int(pid) for group in groups for pid in group.read_text().split()}
    return [pid for pid in pids if b"bootstrap" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""  # it has ended since
