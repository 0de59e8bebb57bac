"""Which records a mapping's filter criteria let through. Pure.

A pattern describes the metadata of a record and its data under one key. Data that is JSON is
matched by a pattern that is an object, a plain text by a list of texts; where the form of the data
and that of the pattern differ, the record does not match. JSON means an object or a list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.domain.event_patterns import matches
from lambdad.domain.event_source_mappings import QUEUES, EventSourceMapping, SourceKind
from lambdad.domain.filter_patterns import parse_pattern


def data_key(kind: SourceKind) -> str | None:
    """Return under which key a kind of source has its data; None where records are plain JSON."""
    if kind in QUEUES:
        return "body"
    return "data" if kind is SourceKind.KINESIS else None


class Filters:
    """The filter criteria of one mapping; without any, everything passes."""

    def __init__(self, patterns: Sequence[Mapping[str, Any]], key: str | None) -> None:
        self._patterns = patterns
        self._key = key

    @classmethod
    def of(cls, mapping: EventSourceMapping) -> Filters:
        """Return those of a mapping."""
        criteria = mapping.settings.get("FilterCriteria") or {}
        patterns = [
            parse_pattern(each.get("Pattern") or "{}") for each in criteria.get("Filters") or ()
        ]
        return cls(patterns, data_key(mapping.kind))

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def passes(self, record: Mapping[str, Any], data: str | bytes | None = None) -> bool:
        """Whether a record passes; `data` is what stands under the key, not parsed yet."""
        if not self._patterns:
            return True
        if self._key is None:
            return any(matches(pattern, record) for pattern in self._patterns)
        structured, value = _parsed(data)
        event = {**record, self._key: value}
        return any(self._fits(pattern, event, structured) for pattern in self._patterns)

    def _fits(self, pattern: Mapping[str, Any], event: Any, structured: bool) -> bool:
        wanted = pattern.get(self._key) if self._key is not None else None
        if wanted is not None and isinstance(wanted, Mapping) is not structured:
            return False
        return matches(pattern, event)


class MessageFilters:
    """The filter criteria of one mapping of Kafka or a message broker.

    Where the form of the data and that of its pattern differ, or the data is no text, the pattern
    for the data counts for nothing: the metadata alone decides.
    """

    def __init__(self, patterns: Sequence[Mapping[str, Any]]) -> None:
        self._patterns = patterns

    @classmethod
    def of(cls, mapping: EventSourceMapping) -> MessageFilters:
        """Return those of a mapping."""
        criteria = mapping.settings.get("FilterCriteria") or {}
        return cls(
            [parse_pattern(each.get("Pattern") or "{}") for each in criteria.get("Filters") or ()]
        )

    def passes(self, described: Mapping[str, Any], data: Mapping[str, bytes | None]) -> bool:
        """Whether a message passes; `data` is what stands under each key, not parsed yet."""
        if not self._patterns:
            return True
        parsed = {key: _parsed(value) for key, value in data.items() if value is not None}
        event = {**described, **{key: value for key, (_, value) in parsed.items()}}
        return any(matches(_meant(pattern, parsed), event) for pattern in self._patterns)


def _meant(pattern: Mapping[str, Any], parsed: Mapping[str, tuple[bool, Any]]) -> Mapping[str, Any]:
    """Leave out of a pattern what is of another form than the data."""
    return {
        key: wanted
        for key, wanted in pattern.items()
        if key not in parsed
        or (parsed[key][1] is not None and isinstance(wanted, Mapping) is parsed[key][0])
    }


def _parsed(data: str | bytes | None) -> tuple[bool, Any]:
    """Whether data is JSON, and its value: a text if it is not, None if it is no text either."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        return False, None
    if text is None or not text.lstrip().startswith(("{", "[")):
        return False, text
    try:
        return True, json.loads(text)
    except (ValueError, RecursionError):
        return False, text
