"""Batches as events: how many records fit into one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from lambdad.domain import limits

# Beside the records themselves: braces, the name, and the members of a window.
_FRAME_BYTES = 1_024
EVENT_BYTES_MAX = limits.INVOKE_REQUEST_BYTES_MAX - _FRAME_BYTES


class Sized(Protocol):
    """A record as it will stand in the event."""

    @property
    def document(self) -> bytes:
        """JSON."""
        ...


R = TypeVar("R", bound=Sized)


def fitting(records: Iterable[R]) -> Iterator[Sequence[R]]:
    """Split records, in order, into runs that each fit into an event; none is empty."""
    batch: list[R] = []
    size = 0
    for record in records:
        length = len(record.document) + 1
        if batch and size + length > EVENT_BYTES_MAX:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


def event_of(records: Iterable[Sized]) -> bytes:
    """Return the event with these records."""
    return b'{"Records":[' + b",".join(record.document for record in records) + b"]}"
