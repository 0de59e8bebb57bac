"""Processor time that a process has used, from outside."""

from __future__ import annotations

import os
import time
from pathlib import Path

_CALM_US = 2_500
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_us(pid: int) -> float:
    """Microseconds of processor time of all threads of a process, user and kernel."""
    threads = Path(f"/proc/{pid}/task")
    try:
        # Nanoseconds, where ticks of 10 ms would be too coarse.
        return sum(int((t / "schedstat").read_text().split()[0]) for t in threads.iterdir()) / 1000
    except (FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S * 1e6


def settle(pid: int, *, within_s: float = 20.0) -> None:
    """Wait until a process has next to nothing to do: what load has set off is behind it."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        before = used_us(pid)
        time.sleep(0.25)
        if used_us(pid) - before < _CALM_US:
            return
