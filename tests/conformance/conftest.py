"""One daemon for all conformance tests, and users who talk to it with boto3."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdad.testing import event_types
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        skip = pytest.mark.skip(reason="needs root: sandboxes are made of namespaces and cgroups")
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """The daemon that most tests share. What it says at the end must be no traceback."""
    # The web servers of tests are on this host.
    settings = {"LAMBDAD_OUTGOING_LOCAL_ADDRESSES": "true"}
    daemon = DaemonProcess(tmp_path_factory.mktemp("conformance") / "data", environ=settings)
    daemon.start()
    yield daemon
    assert daemon.running, daemon.stderr
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr, daemon.stderr


@pytest.fixture(scope="session")
def user(daemon: DaemonProcess) -> Deployer:
    """A user in the default account."""
    return Deployer(daemon.endpoint_url)


@pytest.fixture
def lonely(daemon: DaemonProcess) -> Deployer:
    """A user in an account where nothing is yet."""
    return Deployer(daemon.endpoint_url, account_id=f"7{next(_NUMBERS):011}")


@pytest.fixture
def a_name() -> Callable[[], str]:
    """Names of functions that nobody else uses."""
    return lambda: f"f-{next(_NUMBERS)}"


@pytest.fixture(scope="session")
def published_types() -> Path:
    """Where TypeScript's compiler and the published types of events are."""
    try:
        return event_types.install()
    except event_types.NotThere as missing:
        pytest.skip(str(missing))
