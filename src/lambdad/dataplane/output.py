"""Reads what a guest process writes, at the pace at which logs can be kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_CHUNK = 65_536
# What a full drain reads at most: the pipe's capacity several times over, so that a guest that
# writes for ever cannot hold the event loop.
_DRAIN_CHUNKS = 16


class OutputReader:
    """Hands the bytes of one pipe to a consumer. Mutable: whether it reads, whether it is open."""

    def __init__(self, descriptor: int, consume: Callable[[bytes], None]) -> None:
        self._descriptor = descriptor
        self._consume = consume
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)
        self._open = True

    @property
    def descriptor(self) -> int:
        """To look whether there is anything to read."""
        return self._descriptor

    def drain(self) -> None:
        """Consume what is there now, so that it precedes what happens next in the log."""
        for _ in range(_DRAIN_CHUNKS):
            if not self._open or not self._read():
                return

    def pause(self) -> None:
        """Stop reading: the guest blocks once its pipe is full."""
        if self._open:
            self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        """Read on."""
        if self._open:
            self._loop.add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Stop for good; may be called twice."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        self._consume(data)
        return len(data) == _CHUNK
