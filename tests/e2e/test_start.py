"""What a start takes, counted and not timed: modules that are read until the daemon serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.testing.daemon import DaemonProcess

# What takes long to import and only some requests need.
LATER = {"aiokafka", "aiormq", "boto3", "cfnlint", "cryptography", "moto", "rich", "samtranslator"}
# A tenth more than there were when a start took three quarters of a second.
MODULES_MAX = 1_060
_LINE = "import time:"


@pytest.mark.slow
def test_a_start_imports_only_what_every_daemon_needs(tmp_path: Path) -> None:
    program = ("-X", "importtime", "-m", "lambdad")
    with DaemonProcess(tmp_path, "--backend", "process", program=program) as daemon:
        pass
    lines = [line for line in daemon.stderr.splitlines() if line.startswith(_LINE)]
    modules = [line.rpartition("|")[2].strip() for line in lines]
    assert "lambdad.server.daemon" in modules
    assert {name.partition(".")[0] for name in modules} & LATER == set()
    assert len(modules) <= MODULES_MAX
