"""Takes what was counted to CloudWatch, in batches, behind everything else.

Where CloudWatch is not lambdad's own, nothing is taken anywhere: nobody but AWS may write to the
namespace AWS/Lambda. What was counted in the seconds before a crash is lost.
Mutable: what could not be stored and waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import islice

from lambdad.config.sections import MetricsConfig
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.errors import HostUnfit, PlatformError
from lambdad.neighbours.cloudwatch import function_metrics
from lambdad.neighbours.cloudwatch.model import MetricKey, Point
from lambdad.neighbours.cloudwatch.parts import Monitor
from lambdad.neighbours.front import Neighbours
from lambdad.neighbours.hosting import SpawnTask
from lambdad.neighbours.log_metrics.watching import LogMetrics

_LOGGER = logging.getLogger(__name__)
# Metrics of one transaction, and how many may wait while the disk fails.
_BATCH, _WAITING_MAX = 500, 50_000

Points = Mapping[MetricKey, Sequence[Point]]


class MetricPublisher:
    """See the module."""

    def __init__(
        self, config: MetricsConfig, invoker: Invoker, logs: LogMetrics, neighbours: Neighbours
    ) -> None:
        self._interval_s = config.flush_interval_s
        self._invoker = invoker
        self._logs = logs
        self._neighbours = neighbours
        self._waiting: dict[MetricKey, list[Point]] = {}
        self._storing = asyncio.Lock()

    def begin(self, spawn: SpawnTask, stack: AsyncExitStack) -> None:
        """Publish from now on, and what is left when the stack unwinds."""
        spawn(self.run())
        stack.push_async_callback(self.flush)

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            await asyncio.sleep(self._interval_s)
            await self.flush()

    async def flush(self) -> None:
        """Publish what was counted since the last time; never raises."""
        async with self._storing:
            self._gather()
            if not self._waiting:
                return
            try:
                monitor: Monitor = await self._neighbours.parts("cloudwatch")
                while self._waiting:
                    batch = {key: self._waiting[key] for key in islice(self._waiting, _BATCH)}
                    await monitor.put(batch)
                    for key in batch:
                        del self._waiting[key]
            except HostUnfit:
                self._waiting.clear()
            except PlatformError as error:
                _LOGGER.warning("metrics wait: %s", error)

    def _gather(self) -> None:
        now_s = int(self._invoker.metrics.clock.time())
        for found in self._found(now_s):
            for key, points in found.items():
                if key in self._waiting or len(self._waiting) < _WAITING_MAX:
                    self._waiting.setdefault(key, []).extend(points)

    def _found(self, now_s: int) -> Iterator[Points]:
        metrics = self._invoker.metrics
        yield function_metrics.of_calls(metrics.take_calls())
        yield function_metrics.of_counters(metrics.take(), now_s)
        yield function_metrics.of_peaks(self._invoker.peaks(), now_s)
        yield self._logs.take()
