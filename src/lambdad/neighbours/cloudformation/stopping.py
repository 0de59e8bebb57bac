"""Operations that are to end early: cancelled, or out of time. Mutable: who waits to hear of it."""

from __future__ import annotations

import asyncio

from lambdad.neighbours.cloudformation.model import Stack


class Stops:
    """See the module. Why an operation stops is stored with its stack."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def event(self, stack: Stack) -> asyncio.Event:
        """Return what is set once the operation of a stack is to stop."""
        found = self._events.setdefault(stack.id, asyncio.Event())
        if stack.stop:
            found.set()
        return found

    def stop(self, stack: Stack, reason: str) -> None:
        """Begin nothing more, and end what only waits."""
        stack.stop = reason
        self.event(stack).set()

    def over(self, stack: Stack) -> None:
        """Forget it: what comes next is not stopped."""
        stack.stop = ""
        self._events.pop(stack.id, None)
