"""Log groups, streams and events, and which of them a reader wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """One event of a log stream.

    Attributes:
        event_id: unique and increasing in the order of ingestion; 0 until stored.
        timestamp_ms: when it happened, epoch milliseconds.
        ingestion_ms: when it was stored.
    """

    stream: str
    timestamp_ms: int
    message: str
    ingestion_ms: int = 0
    event_id: int = 0


@dataclass(slots=True)
class LogSegment:
    """Events of one stream in the order in which they were written: of each its time and text.

    Attributes:
        times_ms: when each happened, epoch milliseconds.
        messages: as many.
    """

    stream: str
    times_ms: list[int]
    messages: list[str]

    def events(self) -> Iterator[LogEvent]:
        """Yield them one by one, for who looks at each."""
        for timestamp_ms, message in zip(self.times_ms, self.messages, strict=True):
            yield LogEvent(stream=self.stream, timestamp_ms=timestamp_ms, message=message)


def segments_of(events: Iterable[LogEvent]) -> Sequence[LogSegment]:
    """Put events together by stream, each stream's in their order."""
    found: dict[str, LogSegment] = {}
    for event in events:
        segment = found.setdefault(event.stream, LogSegment(event.stream, [], []))
        segment.times_ms.append(event.timestamp_ms)
        segment.messages.append(event.message)
    return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroupKey:
    """The identity of a log group."""

    account_id: str
    region: str
    name: str


LogBatches = Sequence[tuple[LogGroupKey, Sequence[LogSegment]]]
"""What is stored at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """A log group; `retention_days` None keeps events for ever."""

    key: LogGroupKey
    created_ms: int
    retention_days: int | None = None
    stored_bytes: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStream:
    """A log stream; event times are None while it is empty."""

    name: str
    created_ms: int
    first_event_ms: int | None = None
    last_event_ms: int | None = None
    last_ingestion_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which events to read.

    Attributes:
        streams: names, or None for all.
        start_ms: inclusive; None is unbounded.
        end_ms: exclusive; None is unbounded.
        after: `(timestamp_ms, event_id)` of the last event already seen, or None.
        backward: newest first.
        limit: of events.
        max_bytes: of text and 26 for each event, which bounds memory; the first event always
            fits. None is unbounded.
    """

    streams: Sequence[str] | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    after: tuple[int, int] | None = None
    backward: bool = False
    limit: int = 10_000
    max_bytes: int | None = None
