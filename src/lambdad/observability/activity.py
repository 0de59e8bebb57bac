"""What triggers and pollers brought to functions last, and what came of it. In memory, bounded.

An event that is pushed is noted twice: when it is accepted, and when it was tried; between the two
its request id says whose it was. Mutable: what happened, on the event loop alone.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lambdad.domain.clock import Clock

KEPT = 1_000
_EXPECTED_MAX = 10_000

QUEUED, OK, REFUSED, THROTTLED, ERROR = "queued", "ok", "refused", "throttled", "error"
WELL = frozenset({QUEUED, OK})


class Happening(NamedTuple):
    """One batch, event or request on its way to a function.

    Attributes:
        source: the kind, `sqs`, `s3`, `http-api`.
        arn: of the queue, stream, bucket, topic, rule or API; empty where there is none.
        function: ARN, as qualified.
        size: records or messages.
        result: one of this module's words.
        detail: why, when it did not go well.
        age_ms: of its oldest record, or since it was accepted; None where that is not known.
        took_ms: None where nothing ran.
        mapping: UUID of the event source mapping; empty for others.
    """

    source: str
    arn: str
    function: str
    request_id: str
    result: str
    size: int = 1
    detail: str = ""
    age_ms: float | None = None
    took_ms: float | None = None
    mapping: str = ""


class Noted(NamedTuple):
    """What happened, with the number that it got (they grow by one) and when: epoch ms."""

    number: int
    at_ms: int
    happening: Happening

    def document(self) -> dict[str, Any]:
        """Return all of it by name."""
        return {"number": self.number, "at_ms": self.at_ms, **self.happening._asdict()}


def of_status(status: int) -> str:
    """Return what an HTTP status of a front door says."""
    if status == 429:
        return THROTTLED
    if status >= 500:
        return ERROR
    return REFUSED if status in (401, 403) else OK


class Activity:
    """See the module."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._happened: deque[Noted] = deque(maxlen=KEPT)
        self._latest: OrderedDict[str, Noted] = OrderedDict()
        self._expected: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._number = 0
        self._some = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of what happened last."""
        return self._number

    def note(self, happening: Happening) -> None:
        """Keep what happened; about a microsecond."""
        self._number += 1
        noted = Noted(self._number, int(self._clock.time() * 1_000), happening)
        self._happened.append(noted)
        if happening.mapping:
            self._latest[happening.mapping] = noted
            if len(self._latest) > _EXPECTED_MAX:
                self._latest.popitem(last=False)
        if not self._some.is_set():
            self._some.set()

    def expect(self, request_id: str, source: str, arn: str) -> None:
        """Say whose an event is that was accepted."""
        self._expected[request_id] = (source, arn)
        if len(self._expected) > _EXPECTED_MAX:
            self._expected.popitem(last=False)

    def expected(self, request_id: str) -> tuple[str, str]:
        """Return source and ARN of an event; of one that nobody announced, `async` and none."""
        return self._expected.get(request_id, ("async", ""))

    def latest(self, mapping: str) -> Noted | None:
        """Return what happened last of a mapping."""
        return self._latest.get(mapping)

    def since(
        self, after: int, wanted: Callable[[Happening], bool] = lambda _: True
    ) -> Iterator[Noted]:
        """Yield what happened behind a number, in order."""
        for noted in self._happened:
            if noted.number > after and wanted(noted.happening):
                yield noted

    async def wait(self, after: int, seconds: float) -> None:
        """Return when something happened behind a number, or after so long."""
        if self._number > after:
            return
        self._some.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._some.wait()
        except TimeoutError:
            return
