"""The machine code of snapshots is what its source says."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is for x86-64")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_the_library_is_what_its_source_says(tmp_path: Path) -> None:
    sys.path.insert(0, str(SCRIPTS))
    try:
        from build_snapshot_library import LIBRARY, build  # noqa: PLC0415 - a script
    finally:
        sys.path.remove(str(SCRIPTS))
    built = tmp_path / "library"
    build(built)
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, check=True).stdout
    version = compiler.split(b"\n", 1)[0].partition(b" ")[2]
    if version not in LIBRARY.read_bytes():
        pytest.skip(f"built by another compiler than {version.decode()}")
    assert built.read_bytes() == LIBRARY.read_bytes()
