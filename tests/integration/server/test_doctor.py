"""`lambdad doctor` builds a real sandbox on this host and leaves nothing behind."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest


def doctor(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lambdad", "doctor", "--data-dir", str(data_dir), *arguments],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="the native backend needs root: run as root")
@pytest.mark.root
def test_the_native_backend_is_examined_and_taken_down(tmp_path):
    done = doctor("--backend", "native", "--json", data_dir=tmp_path)
    document = json.loads(done.stdout)
    assert document["backend"] == "native"
    assert document["isolated"] is True
    assert document["status"] == done.returncode
    guards = {each["name"]: each for each in document["findings"] if each["section"] == "guards"}
    assert guards["seccomp"]["state"] == "ok"
    assert all(each["stops"] for each in guards.values())
    (feature,) = (each for each in document["findings"] if each["section"] == "features")
    served = [
        each["name"]
        for each in document["findings"]
        if each["section"] == "runtimes" and each["state"] != "missing"
    ]
    restored = re.compile(r"python3\.1[2-9]|java(11|17|21|25).*")
    snapshots = [name for name in served if restored.fullmatch(name)]
    state = "ok" if snapshots and platform.machine() == "x86_64" else "missing"
    assert (feature["name"], feature["state"]) == ("SnapStart", state)
    assert state == "missing" or all(name in feature["detail"] for name in snapshots)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_host_without_isolation_is_told_so_by_the_exit_status(tmp_path):
    done = doctor("--backend", "process", data_dir=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "not every guard protects" in done.stdout


@pytest.mark.slow
def test_an_unknown_backend_is_no_backend(tmp_path):
    done = doctor("--backend", "magic", "--json", data_dir=tmp_path)
    assert done.returncode == 2
    (finding,) = (
        each for each in json.loads(done.stdout)["findings"] if each["section"] == "sandbox"
    )
    assert finding["state"] == "missing"
    assert "native" in finding["remedy"]


@pytest.mark.slow
def test_runtimes_are_listed_in_the_order_of_their_versions(tmp_path):
    done = doctor("--backend", "magic", "--json", data_dir=tmp_path)
    names = [
        each["name"]
        for each in json.loads(done.stdout)["findings"]
        if each["section"] == "runtimes" and each["name"].startswith("python")
    ]
    assert names.index("python3.9") < names.index("python3.10")
