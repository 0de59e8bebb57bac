"""`make demo` is what a newcomer runs first: it works, and leaves nothing running."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_deploys_and_invokes_cold_and_warm():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py")],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reports = [line for line in done.stdout.splitlines() if line.startswith("REPORT")]
    assert len(reports) == 2
    assert "Init Duration" in reports[0]
    assert "Init Duration" not in reports[1]
    assert "Stopped." in done.stdout
    assert "What to try next" in done.stdout
