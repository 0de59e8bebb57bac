"""When an environment is called, beside its requests: once it is late, and behind its answers.

One timer serves all invocations that have the same time, and one call all answers of a turn of
the event loop.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from lambdad.dataplane.freezing import Freezer


class Timed(Protocol):
    """Who is called when it is late."""

    def timed_out(self) -> None:
        """Its time is over."""
        ...


class Concluding(Protocol):
    """Who is called behind answers."""

    def conclude(self) -> None:
        """Whatever was written before its answer has been read."""
        ...


class Timing:
    """The host's; `freezer` freezes what stays idle."""

    def __init__(self) -> None:
        self.freezer = Freezer()
        self.deadlines = Deadlines()
        self.conclusions = Conclusions()


Due = dict[Timed, float]
"""Who is due when, oldest first; to take oneself out is to be on time."""


class Deadlines:
    """Calls who is late. Mutable: who is due, by how long they have; a timer for each of these."""

    def __init__(self) -> None:
        self._due: dict[float, Due] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def arm(self, timed: Timed, seconds: float) -> Due:
        """Call in so many seconds, unless taken out of the result before."""
        loop = self._loop
        if loop is None:  # asked once: that costs a system call
            loop = self._loop = asyncio.get_running_loop()
        due = self._due.get(seconds)
        if due is None:
            due = self._due[seconds] = {}
            loop.call_later(seconds, self._look, seconds, due)
        due[timed] = loop.time() + seconds
        return due

    def _look(self, seconds: float, due: Due) -> None:
        loop = asyncio.get_running_loop()
        while due:
            timed, at = next(iter(due.items()))
            if at > loop.time():
                loop.call_at(at, self._look, seconds, due)
                return
            del due[timed]
            timed.timed_out()
        self._due.pop(seconds, None)


class Conclusions:
    """Calls behind answers. Mutable: who is to be called, in order.

    What a guest wrote before it answered was there when the event loop last asked what is: so it
    has been read as soon as the loop has been through what it was told then.
    """

    def __init__(self) -> None:
        self._waiting: list[Concluding] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def later(self, concluding: Concluding) -> None:
        """Call when the event loop has been through what came with an answer."""
        waiting = self._waiting
        if not waiting:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._call)
        waiting.append(concluding)

    def _call(self) -> None:
        waiting, self._waiting = self._waiting, []
        for concluding in waiting:
            concluding.conclude()
