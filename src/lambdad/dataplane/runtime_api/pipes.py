"""What frames go through: two pipes, one each way.

A socket would do with one descriptor, but takes memory for each message, and wakes who waits on it
when the other side merely reads: two pipes cost a third less, on both sides.
"""

from __future__ import annotations

import fcntl
import os
from types import TracebackType
from typing import Self

# An event or an answer of this size goes through without a pause.
_BYTES = 256 * 1024


class Side:
    """One side: the descriptors that it reads from and writes to, and owns."""

    def __init__(self, reads: int, writes: int) -> None:
        self.reads = reads
        self.writes = writes
        self._open = True

    def close(self) -> None:
        """Close both; may be called twice."""
        if self._open:
            self._open = False
            os.close(self.reads)
            os.close(self.writes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_pipes() -> tuple[Side, Side]:
    """Return our side, which does not block, and the guest's.

    Raises:
        OSError: the host has no more descriptors.
    """
    events, answers = os.pipe(), (-1, -1)
    try:
        answers = os.pipe()
        for _, writes in (events, answers):
            _enlarge(writes)
        os.set_blocking(answers[0], False)
        os.set_blocking(events[1], False)
    except BaseException:
        for descriptor in (*events, *answers):
            if descriptor >= 0:
                os.close(descriptor)
        raise
    return Side(answers[0], events[1]), Side(events[0], answers[1])


def _enlarge(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _BYTES)
    except PermissionError:
        # Too much for all pipes of a user that is not root: they are as large as they are.
        return
