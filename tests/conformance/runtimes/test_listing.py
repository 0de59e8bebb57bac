"""`lambdad runtimes`, asked of a daemon that serves functions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import RUNTIME, Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]


def listed(daemon: DaemonProcess) -> Mapping[str, Mapping[str, Any]]:
    command = [sys.executable, "-m", "lambdad", "runtimes", "--json"]
    command += ["--endpoint-url", daemon.endpoint_url]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    return {line["identifier"]: line for line in json.loads(done.stdout)["runtimes"]}


def test_what_is_served_is_listed_with_its_version(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path / "data") as daemon:
        user = Deployer(daemon.endpoint_url)
        source = "import sys\ndef handler(event, context): return sys.version.split()[0]\n"
        user.deploy("f", source)
        version = user.invoke("f").payload
        line = listed(daemon)[RUNTIME]
    assert (line["version"], line["stands_in"], line["prepared"]) == (version, False, True)


def test_a_stand_in_serves_where_that_is_allowed_and_is_said_loudly(tmp_path: Path) -> None:
    strict = DaemonProcess(tmp_path / "strict")
    with strict:
        lines = listed(strict)
        user = Deployer(strict.endpoint_url)
        absent = [name for name in ("python3.14", "python3.12") if lines[name]["version"] is None]
        if not absent:
            pytest.skip("every Python is on this host")
        with pytest.raises(user.lambda_.exceptions.InvalidParameterValueException):
            user.deploy("f", "def handler(event, context): pass\n", Runtime=absent[0])
    loose = DaemonProcess(tmp_path / "loose", "--runtime-fallback")
    with loose:
        user = Deployer(loose.endpoint_url)
        user.deploy("f", "def handler(event, context): return event\n", Runtime=absent[0])
        assert user.invoke("f", 5).payload == 5
        line = listed(loose)[absent[0]]
        assert (line["stands_in"], line["prepared"]) == (True, True)
    assert f"{absent[0]} is served by version {line['version']}" in loose.stderr
