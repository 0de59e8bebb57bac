"""Whether an invocation is part of a loop of functions that invoke each other: pure.

A chain of invocations carries a lineage in its trace header, `Lineage=hops:function:loops`: how
many invocations there were, one function of the chain by its hash, and how often the chain came
back to it. AWS stops a function that is invoked about 16 times in one chain.

A loop need not pass the function that began the chain. So as long as no loop is seen, the function
that is remembered is exchanged for the present one whenever the number of hops is a power of two
(Brent's way to find a cycle with one place of memory): every loop passes it before long.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from lambdad.domain.errors import RecursiveInvocationException

DROPPED_METRIC = "RecursiveInvocationsDropped"

# AWS developer guide: about so often in one chain, then no more.
INVOCATIONS_MAX = 16

_HOPS_MAX, _COUNT_MAX = 32_767, 255
_STOPPED = (
    "Lambda has detected your function being invoked in a recursive loop with other AWS resources "
    "and stopped your function's invocation."
)
_LINEAGE = re.compile(r"Lineage=(\d{1,5}):([0-9a-f]{8}):(\d{1,3})(?![0-9a-zA-Z:])")
# A loop that has not been passed for so many hops each time was left, or is a long one.
_LOOP_HOPS_MAX = 64


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a chain knows of itself.

    Attributes:
        hops: invocations so far, at most 32,767; 0 while no function is looked for.
        function: hash of the function that is looked for, 8 hexadecimal digits.
        loops: how often the chain came back to it, at most 255.
    """

    hops: int
    function: str
    loops: int

    @property
    def text(self) -> str:
        """As it is in the trace header."""
        return f"{self.hops}:{self.function}:{self.loops}"


def received_lineage(trace_header: str | None) -> Lineage | None:
    """Read the lineage of a trace header; None when there is none or it is malformed."""
    found = _LINEAGE.search(trace_header) if trace_header else None
    if found is None or int(found[1]) > _HOPS_MAX or int(found[3]) > _COUNT_MAX:
        return None
    return Lineage(int(found[1]), found[2], int(found[3]))


@lru_cache(maxsize=8_192)
def first(function_arn: str) -> str:
    """Return the lineage of a chain that begins at a function, as it is in the trace header."""
    return Lineage(1, _hash(function_arn), 0).text


def _hash(function_arn: str) -> str:
    return f"{zlib.crc32(function_arn.encode()):08x}"


def arrive(lineage: Lineage | None, function_arn: str, *, allowed: Callable[[], bool]) -> Lineage:
    """Return the lineage of a chain that has arrived at a function, itself counted.

    `allowed` says whether the function may be part of a loop: then it is not looked for.

    Raises:
        RecursiveInvocationException: it may not, and was invoked too often in this chain.
    """
    function = _hash(function_arn)
    if lineage is None:
        return Lineage(1, function, 0)
    if allowed():
        return Lineage(0, function, 0) if lineage.function == function else lineage
    hops = lineage.hops + 1
    if lineage.hops in (0, _HOPS_MAX):
        return Lineage(1, function, 0)
    if lineage.function == function:
        if lineage.loops + 1 >= INVOCATIONS_MAX:
            raise RecursiveInvocationException(_STOPPED, Type="User")
        return Lineage(hops, function, lineage.loops + 1)
    if not hops & (hops - 1) and lineage.loops * _LOOP_HOPS_MAX < hops:
        return Lineage(hops, function, 0)
    return Lineage(hops, lineage.function, lineage.loops)
