"""The trace header of an invocation: kept from the caller where it says something, else begun."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

_ROOT = re.compile(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})")
_SAMPLED = re.compile(r"Sampled=([01])")
_LINEAGE = re.compile(r"Lineage=([0-9a-zA-Z:|.-]{1,256})")


def _uniques() -> Iterator[str]:
    """Yield 40 random hexadecimal digits without end; asks the kernel once in 200."""
    while True:
        pool = os.urandom(20 * _POOL).hex()
        for start in range(0, len(pool), 40):
            yield pool[start : start + 40]


_POOL = 200
_UNIQUE = _uniques()


def trace_header(received: str | None, now_s: float, *, lineage: str | None = None) -> str:
    """Return `Root=...;Parent=...;Sampled=...` for one invocation.

    The caller's root and its sampling decision go on, and so does its lineage unless a new one is
    given; the parent is new, because the invocation is a segment of its own. What is malformed is
    ignored.
    """
    unique = next(_UNIQUE)
    root = _ROOT.search(received) if received else None
    sampled = _SAMPLED.search(received) if received else None
    if lineage is None and received and (found := _LINEAGE.search(received)):
        lineage = found[1]
    name = root[1] if root else f"1-{int(now_s):08x}-{unique[:24]}"
    header = f"Root={name};Parent={unique[24:]};Sampled={sampled[1] if sampled else '0'}"
    return f"{header};Lineage={lineage}" if lineage else header
