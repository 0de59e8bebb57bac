"""Tumbling windows: what a function is told of one, and what it gives back. Pure but for `state`.

Windows are as long as the mapping says, begin at multiples of that since the Unix epoch, and a
record belongs to the one in which it arrived; one that comes late to the one that is open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdad.event_source_mappings.moments import with_seconds
from lambdad.event_source_mappings.streams import StreamRecord

STATE_BYTES_MAX = 1024 * 1024


@dataclass(slots=True)
class Window:
    """An open window. Mutable: its state."""

    start_s: float
    length_s: float
    state: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, arrived_s: float, length_s: float) -> Window:
        """Open the window of a record."""
        return cls(arrived_s // length_s * length_s, length_s)

    @classmethod
    def stored(cls, stored: Mapping[str, Any], length_s: float) -> Window:
        """Open the window that a checkpoint has; see :meth:`document`."""
        return cls(stored["start_s"], length_s, stored["state"])

    @property
    def end_s(self) -> float:
        """When it ends, in epoch seconds."""
        return self.start_s + self.length_s

    @property
    def too_large(self) -> bool:
        """Whether its state has outgrown it."""
        return len(json.dumps(self.state)) > STATE_BYTES_MAX

    def document(self) -> Mapping[str, Any]:
        """Return what a checkpoint keeps."""
        return {"start_s": self.start_s, "state": self.state}

    def takes(self, record: StreamRecord) -> bool:
        """Whether a record belongs to it."""
        return record.arrived_s < self.end_s

    def event(
        self,
        records: Sequence[StreamRecord],
        *,
        shard_id: str,
        source_arn: str,
        final: bool,
        early: bool,
    ) -> bytes:
        """Return the event with these records."""
        rest = {
            "window": {"start": with_seconds(self.start_s), "end": with_seconds(self.end_s)},
            "state": self.state,
            "shardId": shard_id,
            "eventSourceARN": source_arn,
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": early,
        }
        body = b",".join(record.document for record in records)
        return b'{"Records":[' + body + b"]," + json.dumps(rest).encode()[1:]

    def absorb(self, payload: bytes) -> bool:
        """Take over the state that the function gave back; False when it gave none."""
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):
            return False
        state = answer.get("state") if isinstance(answer, dict) else None
        if not isinstance(state, dict):
            return False
        self.state = state
        return True
