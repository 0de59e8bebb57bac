"""Filling the holes of an interpreter's memory; in a process of its own."""

from __future__ import annotations

import subprocess
import sys

# Leaves few holes in many pages, and says over how many pages new objects are spread before and
# after these are filled: small ones, which are CPython's, and larger ones, the C library's.
PROGRAM = """
from lambdad.sandbox import dense_heap

def leave_holes(size):
    kept = [bytes(size) for _ in range(5_000)]
    del kept[::20]
    return kept

def pages(size):
    return len({id(some) // 4096 for some in [bytes(size) for _ in range(100)]})

small, large = leave_holes(64), leave_holes(900)
before = pages(64), pages(900)
small, large = (small, leave_holes(64)), (large, leave_holes(900))
dense_heap.fill()
print(*before, pages(64), pages(900))
"""


def test_what_is_made_afterwards_lies_together() -> None:
    command = [sys.executable, "-c", PROGRAM]
    said = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    small_before, large_before, small, large = map(int, said.split())
    assert small < small_before / 4
    assert large < large_before / 2
