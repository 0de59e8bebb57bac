"""A streamed response on its way from a runtime to a caller: bounded, and no faster than AWS's.

Knows nothing of sockets: who sends is told to pause and resume, who receives iterates.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Protocol

from lambdad.domain import limits
from lambdad.domain.clock import Clock
from lambdad.domain.invocations import InvocationResult

_HIGH_BYTES = 1024 * 1024
_LOW_BYTES = 256 * 1024


class Flow(Protocol):
    """Who sends the pieces."""

    def pause(self) -> None:
        """Send nothing until :meth:`resume`."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...


class StreamRate:
    """How fast a stream may be: AWS caps it behind the first 6 MiB. Mutable: tokens, their time."""

    def __init__(self, now: float, bytes_per_s: int) -> None:
        self._bytes_per_s = bytes_per_s
        self._tokens = float(limits.STREAM_BURST_BYTES)
        self._at = now

    def delay_s(self, size: int, now: float) -> float:
        """Take `size` bytes and return how long to wait before they are sent, in seconds."""
        refill = (now - self._at) * self._bytes_per_s
        self._tokens = min(self._tokens + refill, float(limits.STREAM_BURST_BYTES)) - size
        self._at = now
        return max(0.0, -self._tokens / self._bytes_per_s)


class ResponseStream:
    """Pieces between one runtime and one caller.

    Mutable: the pieces not taken yet, the sender's flow, and whether the end is known.
    """

    def __init__(self, clock: Clock, bytes_per_s: int) -> None:
        self.content_type: str | None = None
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._flow: Flow | None = None
        self._paused = False
        self._ended = False
        self._abandoned = False
        self._changed = asyncio.Event()
        self._opened = asyncio.Event()

    @property
    def began(self) -> bool:
        """Whether anything was or will be sent piecemeal."""
        return self._opened.is_set()

    def begin(self, content_type: str, flow: Flow | None = None) -> None:
        """The response begins; `flow` is None when it is here as a whole."""
        self.content_type = content_type
        self._flow = flow
        self._opened.set()

    def put(self, piece: bytes) -> None:
        """Add a piece."""
        if self._abandoned or not piece:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _HIGH_BYTES and self._flow is not None and not self._paused:
            self._paused = True
            self._flow.pause()
        self._changed.set()

    def end(self) -> None:
        """No piece follows; may be called twice."""
        self._ended = True
        self._opened.set()
        self._changed.set()

    def abandon(self) -> None:
        """The caller is gone: the runtime goes on and its pieces are dropped."""
        self._abandoned = True
        self._pieces.clear()
        self._size = 0
        self._let_go_on()

    async def opened(self) -> None:
        """Wait until the response begins or is known not to."""
        await self._opened.wait()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the pieces at AWS's pace until the end."""
        rate = StreamRate(self._clock.monotonic(), self._bytes_per_s)
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._size -= len(piece)
                if self._size < _LOW_BYTES:
                    self._let_go_on()
                delay_s = rate.delay_s(len(piece), self._clock.monotonic())
                if delay_s > 0:
                    await asyncio.sleep(delay_s)
                yield piece
            if self._ended:
                return
            self._changed.clear()
            await self._changed.wait()

    def _let_go_on(self) -> None:
        if self._paused and self._flow is not None:
            self._paused = False
            self._flow.resume()


class StreamedInvocation:
    """A running invocation whose answer comes piece by piece, as its caller sees it."""

    def __init__(
        self,
        stream: ResponseStream,
        done: asyncio.Future[InvocationResult],
        *,
        executed_version: str,
        headers: Mapping[str, str],
    ) -> None:
        self.executed_version = executed_version
        self.headers = headers
        self._stream = stream
        self._done = done

    @property
    def content_type(self) -> str:
        """As the runtime says; JSON when the answer is an error or came whole."""
        return self._stream.content_type or "application/json"

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the answer; a caller that stops early does not stop the function."""
        try:
            async for piece in self._stream.pieces():
                yield piece
        finally:
            self._stream.abandon()

    async def outcome(self) -> InvocationResult:
        """Return how it ended, once it has; the payload is empty if it was streamed."""
        return await asyncio.shield(self._done)
