"""Processor time that a process has used, from outside."""

from __future__ import annotations

import os
from pathlib import Path

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
