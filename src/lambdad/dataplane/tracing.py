"""The trace header of an invocation: kept from the caller where it says something, else begun."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache

_ROOT = re.compile(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})")
_SAMPLED = re.compile(r"Sampled=([01])")
_LINEAGE = re.compile(r"Lineage=([0-9a-zA-Z:|.-]{1,256})")


def _endings() -> Iterator[str]:
    """Yield ends of new headers, random, without end; asks the kernel once in 200."""
    while True:
        pool = os.urandom(20 * _POOL).hex()
        for start in range(0, len(pool), 40):
            yield f"{pool[start : start + 24]};Parent={pool[start + 24 : start + 40]};Sampled=0"


_POOL = 200
# Of an ending: behind the random part of the root.
_PARENT_AT = 24
_new_ending = _endings().__next__


@lru_cache(maxsize=4)
def _beginning(second: int) -> str:
    return f"Root=1-{second:08x}-"


def trace_header(received: str | None, now_s: float, *, lineage: str | None = None) -> str:
    """Return `Root=...;Parent=...;Sampled=...` for one invocation.

    The caller's root and its sampling decision go on, and so does its lineage unless a new one is
    given; the parent is new, because the invocation is a segment of its own. What is malformed is
    ignored.
    """
    beginning, ending = _beginning(int(now_s)), _new_ending()
    if received:
        if root := _ROOT.search(received):
            beginning, ending = root[0], ending[_PARENT_AT:]
        if sampled := _SAMPLED.search(received):
            ending = f"{ending[:-1]}{sampled[1]}"
        if lineage is None and (found := _LINEAGE.search(received)):
            lineage = found[1]
    return f"{beginning}{ending};Lineage={lineage}" if lineage else beginning + ending
