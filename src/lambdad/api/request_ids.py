"""Request ids: random UUIDs, cheap enough for every request."""

from __future__ import annotations

import os
from collections.abc import Iterator

_POOL = 256
# Of a hexadecimal digit the lower two bits, behind the two that every such identifier has.
_VARIANTS = {digit: "89ab"[value & 3] for value, digit in enumerate("0123456789abcdef")}


def request_ids() -> Iterator[str]:
    """Yield version 4 UUIDs without end; asks the kernel for randomness once in 256."""
    while True:
        pool = os.urandom(16 * _POOL).hex()
        for start in range(0, 32 * _POOL, 32):
            raw = pool[start : start + 32]
            variant = _VARIANTS[raw[16]]
            yield f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-{variant}{raw[17:20]}-{raw[20:]}"
