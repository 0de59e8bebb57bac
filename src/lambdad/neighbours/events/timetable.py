"""When rules with schedules are due, and one timer for all of them.

AWS makes up no runs that were missed; one that was due less than a minute before the daemon came
back is not missed. Mutable: the times, on the event loop alone.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from typing import Protocol

from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.neighbours.events.model import Rule
from lambdad.neighbours.hosting import SpawnTask

_LOGGER = logging.getLogger(__name__)
_GRACE_S = 60.0
_TROUBLE_S = 5.0
# A clock that is set is noticed after so long.
_LOOK_S = 300.0


class Rules(Protocol):
    """What fires."""

    def find(self, kind: type[Rule], key: str) -> Rule | None:
        """Return the rule with this key, which is what its text is."""
        ...

    async def fire(self, rule: Rule, due_ms: int) -> None:
        """Send the event of a scheduled time."""
        ...


class Timetable:
    """See the module."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._woken = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.Event()
        self._ended.set()

    def changed(self, rule: Rule) -> None:
        """A rule was put, loaded, enabled, disabled, or fired."""
        due_s = self._next(rule)
        if due_s is None:
            self.forgotten(rule)
        elif self._due.get(str(rule)) != due_s:
            self._due[str(rule)] = due_s
            heapq.heappush(self._heap, (due_s, str(rule)))
            self._woken.set()

    def forgotten(self, rule: Rule) -> None:
        """A rule is no more."""
        self._due.pop(str(rule), None)

    def start(self, spawn: SpawnTask) -> None:
        """Begin to fire."""
        self._ended.clear()
        spawn(self._run())

    async def close(self) -> None:
        """Fire no more."""
        self._stopping = True
        self._woken.set()
        await self._ended.wait()

    async def fire_due(self) -> float:
        """Fire what is due; returns in how many seconds there is something again."""
        while self._heap:
            due_s, key = self._heap[0]
            if self._due.get(key) != due_s:
                heapq.heappop(self._heap)
                continue
            left_s = due_s - self._clock.time()
            if left_s > 0:
                return min(left_s, _LOOK_S)
            rule = self._rules.find(Rule, key)
            if rule is None:
                self._due.pop(key)
                continue
            try:
                await self._rules.fire(rule, int(due_s * 1_000))
            except PlatformError:
                _LOGGER.exception("%s could not be fired", rule.arn)
                return _TROUBLE_S
        return _LOOK_S

    async def _run(self) -> None:
        try:
            while not self._stopping:
                self._woken.clear()
                wait_s = await self.fire_due()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            self._ended.set()

    def _next(self, rule: Rule) -> float | None:
        if rule.expression is None or not rule.enabled:
            return None
        now_s, anchor_s = self._clock.time(), rule.anchor_ms / 1_000
        after_s = max(now_s - _GRACE_S, anchor_s)
        if rule.fired_ms is not None:
            after_s = max(after_s, rule.fired_ms / 1_000)
        following = rule.expression.next_after(after_s, anchor_s)
        while following is not None and following < now_s - 1:
            # Of several that were due within the grace, the last one.
            later = rule.expression.next_after(following, anchor_s)
            if later is None or later > now_s:
                break
            following = later
        return following
