"""Watches what is logged, and gathers the metrics in it until somebody takes them.

Mutable: the filters, compiled when they are first applied; what was gathered. Kept in memory: what
was logged in the seconds before a crash may be in no metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lambdad.controlplane.log_filters import METRIC, LogFilters
from lambdad.domain.logs import LogBatches, LogGroupKey, LogSegment
from lambdad.neighbours.cloudwatch.model import MetricKey, Point
from lambdad.neighbours.log_metrics.embedded import MARK, Owner, points_of
from lambdad.neighbours.log_metrics.filtered import MetricFilter

# Distinct points; beyond it further ones wait for nobody and are left out.
_GATHERED_MAX = 50_000


class LogMetrics:
    """See the module. On the event loop alone."""

    def __init__(self, filters: LogFilters) -> None:
        self._filters = filters
        self._compiled: dict[LogGroupKey, tuple[Sequence[object], list[MetricFilter]]] = {}
        self._gathered: dict[tuple[MetricKey, int, str], Point] = {}

    def appended(self, batches: LogBatches) -> None:
        """Look through events that were stored."""
        for key, segments in batches:
            for segment in segments:
                # Nearly none has the mark: one look for all of its events.
                if MARK in "".join(segment.messages):
                    self._embedded(Owner(key.account_id, key.region), segment)
            for each in self._of(key):
                events = [event for segment in segments for event in segment.events()]
                self._gather(each.points(events))

    def _embedded(self, owner: Owner, segment: LogSegment) -> None:
        for event in segment.events():
            if MARK in event.message:
                self._gather(points_of(event.message, owner, event.timestamp_ms // 1_000))

    def take(self) -> dict[MetricKey, list[Point]]:
        """Return what was gathered since the last time."""
        gathered, self._gathered = self._gathered, {}
        found: dict[MetricKey, list[Point]] = {}
        for (key, _, _), point in gathered.items():
            found.setdefault(key, []).append(point)
        return found

    def _of(self, key: LogGroupKey) -> Sequence[MetricFilter]:
        documents = self._filters.of(METRIC, key)
        if not documents:
            self._compiled.pop(key, None)
            return ()
        before = self._compiled.get(key)
        if before is None or list(before[0]) != list(documents):
            before = (documents, [MetricFilter(key, each) for each in documents])
            self._compiled[key] = before
        return before[1]

    def _gather(self, found: Iterable[tuple[MetricKey, Point]]) -> None:
        for key, point in found:
            place = (key, point.at_s, point.unit)
            there = self._gathered.get(place)
            if there is not None:
                there.summary.add(point.summary)
            elif len(self._gathered) < _GATHERED_MAX:
                self._gathered[place] = point
