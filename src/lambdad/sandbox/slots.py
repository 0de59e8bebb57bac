"""Which user and which network address a sandbox gets: one number for both, unique on the host.

Several daemons may share the ranges, so a number is claimed by a name in the kernel: an abstract
Unix socket, which one process can hold and which goes when that process dies, however it dies.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from dataclasses import dataclass

from lambdad.domain.errors import HostUnfit


@dataclass(frozen=True, slots=True)
class Slot:
    """A claimed number.

    Attributes:
        number: 0 to the size of the range, without it.
        claims: what keeps other daemons from taking it.
    """

    number: int
    claims: tuple[socket.socket, ...]


class Slots:
    """The numbers of one daemon. State: `_free`, oldest first, so that none is soon used again.

    Args:
        count: size of the range.
        ranges: names of what the numbers count, shared by the daemons that share it.
        start: where to begin, so that daemons seldom meet.
    """

    def __init__(self, count: int, ranges: tuple[str, ...], start: int = 0) -> None:
        self._free = deque(range(count))
        self._free.rotate(-(start % count) if count else 0)
        self._count = count
        self._ranges = ranges

    def take(self) -> Slot:
        """Claim a number.

        Raises:
            HostUnfit: all are taken, or this process has no descriptors left.
        """
        for _ in range(len(self._free)):
            number = self._free.popleft()
            claims = self._claim(number)
            if claims is not None:
                return Slot(number, claims)
            self._free.append(number)
        raise HostUnfit(
            f"There are {self._count} environments on this host already.",
            "Raise sandbox.max_environments.",
        )

    def release(self, slot: Slot) -> None:
        """Give a number back."""
        for claim in slot.claims:
            claim.close()
        self._free.append(slot.number)

    def _claim(self, number: int) -> tuple[socket.socket, ...] | None:
        claims: list[socket.socket] = []
        try:
            for name in self._ranges:
                claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                claims.append(claim)
                claim.bind(f"\0lambdad/{name}/{number}")
        except OSError as error:
            for claim in claims:
                claim.close()
            if error.errno == errno.EADDRINUSE:
                return None
            raise HostUnfit(
                f"An environment's number cannot be claimed: {error}.",
                "Raise the limit of open files (ulimit -n).",
            ) from error
        return tuple(claims)
