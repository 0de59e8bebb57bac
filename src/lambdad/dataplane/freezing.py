"""When idle environments are frozen: at once, or a moment later where the next event is close.

Freezing and thawing stop and wake every process of an environment, which costs more than a short
invocation. An environment whose last event came right after the one before stays awake for
`GRACE_S`; every other is frozen as soon as its answer is on its way.
"""

from __future__ import annotations

import asyncio

from lambdad.sandbox.base import Sandbox

GRACE_S = 0.005
"""How long a busy environment stays awake without an event. What it does then is not billed."""


class Freezer:
    """Freezes what stays idle. Mutable: what is to be frozen and when, oldest first; one timer."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: dict[Sandbox, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def later(self, sandbox: Sandbox) -> None:
        """Freeze a sandbox in a moment, unless :meth:`keep` is called before."""
        loop = self._loop or self._running_loop()
        self._due[sandbox] = loop.time() + GRACE_S
        if self._timer is None:
            self._timer = loop.call_later(GRACE_S, self._freeze_due)

    def at_once(self, sandbox: Sandbox) -> None:
        """Freeze a sandbox behind what the event loop has to do already, answering above all."""
        self._due[sandbox] = 0.0
        (self._loop or self._running_loop()).call_soon(self._freeze, sandbox)

    def keep(self, sandbox: Sandbox) -> bool:
        """Do not freeze it; False when it is frozen already, or was not to be."""
        return self._due.pop(sandbox, None) is not None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        # Asked once: that costs a system call.
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _freeze_due(self) -> None:
        loop = self._loop or self._running_loop()
        now = loop.time()
        self._timer = None
        for sandbox, due in list(self._due.items()):
            if due > now:
                self._timer = loop.call_later(due - now, self._freeze_due)
                return
            del self._due[sandbox]
            sandbox.freeze()

    def _freeze(self, sandbox: Sandbox) -> None:
        if self._due.get(sandbox) == 0.0:
            del self._due[sandbox]
            sandbox.freeze()
