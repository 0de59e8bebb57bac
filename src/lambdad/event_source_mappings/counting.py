"""What a mapping counts: its opt-in metrics and the ages that are always there."""

from __future__ import annotations

from collections.abc import Collection

from lambdad.domain.clock import Clock
from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings import metric_names
from lambdad.observability.metrics import Metrics


class Counting:
    """Counts for one mapping."""

    def __init__(self, mapping: EventSourceMapping, metrics: Metrics, clock: Clock) -> None:
        chosen = (mapping.settings.get("MetricsConfig") or {}).get("Metrics") or ()
        self._counts = "EventCount" in chosen
        self._counts_errors = "ErrorCount" in chosen
        self._counts_lag = "KafkaMetrics" in chosen
        self._arn = mapping.arn
        self._function_arn = mapping.function.arn()
        self._metrics = metrics
        self._clock = clock

    def add(self, name: str, count: int) -> None:
        """Count records, where the mapping asks for it."""
        if self._counts and count:
            self._metrics.add(name, self._arn, count)

    def error(self, name: str) -> None:
        """Count an error, where the mapping asks for it."""
        if self._counts_errors:
            self._metrics.add(name, self._arn, 1)

    def lags(self, lags: Collection[int]) -> None:
        """Note how many records are left in each partition."""
        for lag in lags:
            self._metrics.add(metric_names.OFFSET_LAG, self._function_arn, lag)
        if lags and self._counts_lag:
            self._metrics.add(metric_names.MAX_OFFSET_LAG, self._arn, max(lags))
            self._metrics.add(metric_names.SUM_OFFSET_LAG, self._arn, sum(lags))

    def age(self, name: str, begun_s: float) -> None:
        """Note how long ago something was, given in seconds since the Unix epoch."""
        age_ms = max(0.0, self._clock.time() - begun_s) * 1_000
        self._metrics.add(name, self._function_arn, age_ms)
