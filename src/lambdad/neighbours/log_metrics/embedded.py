"""CloudWatch's embedded metric format: which metrics a log event has. Pure.

What does not follow the specification gives no metric, as at AWS, and is a log event all the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdad.neighbours.cloudwatch.model import MetricKey, Point, summary_of

# Whatever has it not is not in the format: seen without parsing.
MARK = '"_aws"'
_DIMENSIONS_MAX, _VALUES_MAX, _METRICS_MAX = 30, 100, 100


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose metrics they are."""

    account_id: str
    region: str


def points_of(message: str, owner: Owner, logged_s: int) -> Iterator[tuple[MetricKey, Point]]:
    """Yield what a log event says of metrics; `logged_s` is for events that have no time."""
    document = _document(message)
    if document is None:
        return
    metadata = document["_aws"]
    at_ms = metadata.get("Timestamp")
    at_s = int(at_ms // 1_000) if _is_number(at_ms) else logged_s
    directives = metadata.get("CloudWatchMetrics")
    for directive in directives if isinstance(directives, list) else ():
        if isinstance(directive, dict):
            yield from _of_directive(directive, document, owner, at_s)


def _document(message: str) -> Mapping[str, Any] | None:
    begin = message.find("{")
    if begin < 0:
        return None
    try:
        document = json.loads(message[begin:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("_aws"), dict):
        return None
    return document


def _of_directive(
    directive: Mapping[str, Any], document: Mapping[str, Any], owner: Owner, at_s: int
) -> Iterator[tuple[MetricKey, Point]]:
    namespace, metrics = directive.get("Namespace"), directive.get("Metrics")
    if not isinstance(namespace, str) or not namespace or not isinstance(metrics, list):
        return
    if namespace.startswith("AWS/"):
        return
    sets = list(_dimension_sets(directive.get("Dimensions"), document))
    for metric in metrics[:_METRICS_MAX]:
        name = metric.get("Name") if isinstance(metric, dict) else None
        values = _values(document.get(name)) if isinstance(name, str) else ()
        if not values:
            continue
        step = 1 if metric.get("StorageResolution") == 1 else 60
        unit = metric.get("Unit")
        for dimensions in sets:
            key = MetricKey(
                account_id=owner.account_id,
                region=owner.region,
                namespace=namespace,
                name=str(name),
                dimensions=dimensions,
            )
            summary = summary_of(values, [1.0] * len(values))
            yield (
                key,
                Point(at_s // step * step, unit if isinstance(unit, str) else "None", summary),
            )


def _dimension_sets(
    given: Any, document: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield the sets whose members all have values; without any set there is the empty one."""
    if given is None or given == []:
        yield ()
        return
    for names in given if isinstance(given, list) else ():
        if not isinstance(names, list) or len(names) > _DIMENSIONS_MAX:
            continue
        values = [(name, _text(document.get(name))) for name in names if isinstance(name, str)]
        if len(values) == len(names) and all(value for _, value in values):
            yield tuple(sorted((name, str(value)) for name, value in values))


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if _is_number(value) else None


def _values(given: Any) -> Sequence[float]:
    several = given if isinstance(given, list) else [given]
    if not all(_is_number(each) for each in several):
        return ()
    return [float(each) for each in several[:_VALUES_MAX]]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
