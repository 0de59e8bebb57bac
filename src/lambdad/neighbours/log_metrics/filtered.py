"""What a metric filter counts of log events. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lambdad.domain.logs import LogEvent, LogGroupKey
from lambdad.neighbours.cloudwatch.model import MetricKey, Point, summary_of
from lambdad.observability.json_patterns import read_selectors
from lambdad.observability.patterns import (
    Extractor,
    InvalidPattern,
    compile_extractor,
    compile_pattern,
)

_MINUTE_S = 60


class MetricFilter:
    """A metric filter, ready to be applied."""

    def __init__(self, key: LogGroupKey, document: Mapping[str, Any]) -> None:
        self._key = key
        self._transformations: Sequence[Mapping[str, Any]] = document["metricTransformations"]
        self._extract = _extractor(document["filterPattern"], self._transformations)

    def points(self, events: Sequence[LogEvent]) -> Iterator[tuple[MetricKey, Point]]:
        """Yield what is published of some events.

        Of those that do not match, a default value is published once for each minute.
        """
        missed: set[int] = set()
        for event in events:
            minute_s = event.timestamp_ms // 1_000 // _MINUTE_S * _MINUTE_S
            fields = self._extract(event.message)
            if fields is None:
                missed.add(minute_s)
                continue
            for transformation in self._transformations:
                found = self._matched(transformation, fields, minute_s)
                if found is not None:
                    yield found
        for transformation in self._transformations:
            default = transformation.get("defaultValue")
            if default is not None:
                for minute_s in sorted(missed):
                    yield (
                        self._key_of(transformation, ()),
                        _point(transformation, default, minute_s),
                    )

    def _matched(
        self, transformation: Mapping[str, Any], fields: Mapping[str, str], minute_s: int
    ) -> tuple[MetricKey, Point] | None:
        value = _number(_resolved(transformation["metricValue"], fields))
        if value is None:
            return None
        named = transformation.get("dimensions") or {}
        texts = {name: _resolved(source, fields) for name, source in named.items()}
        if not all(texts.values()):
            return None
        dimensions = tuple(sorted((name, str(text)) for name, text in texts.items()))
        return self._key_of(transformation, dimensions), _point(transformation, value, minute_s)

    def _key_of(
        self, transformation: Mapping[str, Any], dimensions: tuple[tuple[str, str], ...]
    ) -> MetricKey:
        return MetricKey(
            account_id=self._key.account_id,
            region=self._key.region,
            namespace=transformation["metricNamespace"],
            name=transformation["metricName"],
            dimensions=dimensions,
        )


def _extractor(pattern: str, transformations: Sequence[Mapping[str, Any]]) -> Extractor:
    """Return what reads the fields of a message; of JSON those that are published as well."""
    if not pattern.strip().startswith("{"):
        return compile_extractor(pattern)
    matches = compile_pattern(pattern)
    sources = {
        source
        for each in transformations
        for source in (each["metricValue"], *(each.get("dimensions") or {}).values())
    }
    try:
        read = read_selectors(" ".join(each for each in sorted(sources) if each.startswith("$.")))
    except InvalidPattern:
        return compile_extractor(pattern)
    return lambda message: read(message) if matches(message) else None


def _point(transformation: Mapping[str, Any], value: float, minute_s: int) -> Point:
    return Point(minute_s, transformation.get("unit") or "None", summary_of([value], [1.0]))


def _resolved(source: str, fields: Mapping[str, str]) -> str | None:
    """Return what a value stands for: `1` itself, `$size` or `$.size` the field of that name."""
    return fields.get(source) if source.startswith("$") else source


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
