"""Whole daemons in processes of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdad.testing.daemon import DaemonProcess

Start = Callable[..., DaemonProcess]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        skip = pytest.mark.skip(reason="needs root: sandboxes are made of namespaces and cgroups")
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(skip)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start daemons; whatever still runs at the end is stopped. `data` names the directory."""
    started: list[DaemonProcess] = []

    def begin(*options: str, data: str = "data", **environ: str) -> DaemonProcess:
        daemon = DaemonProcess(tmp_path / data, *options, environ=environ)
        started.append(daemon.start())
        return daemon

    yield begin
    for daemon in started:
        if daemon.running:
            daemon.stop()
    shutil.rmtree(tmp_path, ignore_errors=True)
