"""A daemon of its own for hostile input, and what it must not do."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.leaks import holdings


class Target:
    """A daemon under attack.

    Attributes:
        daemon, user: it, and a user of it.
    """

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon
        self.user = Deployer(daemon.endpoint_url)
        netloc = urlsplit(daemon.endpoint_url)
        self.address = (netloc.hostname or "", netloc.port or 0)

    def files(self) -> dict[str, int]:
        """Every file and directory that requests could leave, by path, with its size.

        Databases grow by themselves, see :meth:`functions`; runtimes are prepared at start.
        """
        found = {}
        for part in ("code", "sandbox"):
            for directory, names, files in os.walk(self.daemon.data_dir / part):
                for path in (Path(directory, name) for name in (*names, *files)):
                    found[str(path)] = path.lstat().st_size if path.is_file() else 0
        return found

    def functions(self) -> list[str]:
        """Names of all functions of the account."""
        pages = self.user.lambda_.get_paginator("list_functions").paginate()
        return [function["FunctionName"] for page in pages for function in page["Functions"]]

    def resident_mib(self) -> float:
        """Memory of the daemon."""
        return holdings(self.daemon.data_dir, self.daemon.pid).resident_kib / 1024

    def peak_mib(self) -> float:
        """The most memory the daemon has had."""
        for line in Path(f"/proc/{self.daemon.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmHWM")

    def descriptors(self) -> int:
        """Open descriptors of the daemon."""
        return holdings(self.daemon.data_dir, self.daemon.pid).descriptors

    def connect(self) -> socket.socket:
        """A plain connection."""
        return socket.create_connection(self.address, timeout=20)

    def healthy(self) -> bool:
        """Whether it answers."""
        url = f"{self.daemon.endpoint_url}/_lambdad/health"
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310
            return bool(json.load(answer))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """It lives through all tests of a module and ends well, without a traceback."""
    # What is borrowed is not ours to hold to this.
    options = {"LAMBDAD_NEIGHBOURS_OTHERS": "none"}
    data_dir = tmp_path_factory.mktemp("target") / "data"
    daemon = DaemonProcess(data_dir, environ=options).start()
    yield Target(daemon)
    assert daemon.running, daemon.stderr
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr, daemon.stderr[-4000:]
