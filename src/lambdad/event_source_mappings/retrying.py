"""What becomes of a batch of a stream after a call. Pure.

Records of a shard keep their order: what is tried again comes before all that follows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdad.event_source_mappings.calls import Call, Verdict
from lambdad.event_source_mappings.responses import REPORTS, Identify, as_text, failed_items
from lambdad.event_source_mappings.streams import Form, StreamRecord

Records = Sequence[StreamRecord]

ATTEMPTS_EXHAUSTED = "RetryAttemptsExhausted"
AGE_EXCEEDED = "RecordAgeExceeded"
TOO_LARGE = "MaximumPayloadSizeExceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a mapping deals with failures; -1 means without end."""

    attempts_max: int
    age_max_s: float
    bisects: bool
    reports: bool
    identify: Identify = as_text

    @classmethod
    def of(cls, settings: Mapping[str, Any], form: Form) -> Policy:
        """Read it off a mapping's settings."""
        attempts_max = int(settings.get("MaximumRetryAttempts", -1))
        destination = (settings.get("DestinationConfig") or {}).get("OnFailure") or {}
        if attempts_max < 0 and destination.get("Destination"):
            attempts_max = form.patience
        return cls(
            attempts_max=attempts_max,
            age_max_s=float(settings.get("MaximumRecordAgeInSeconds", -1)),
            bisects=bool(settings.get("BisectBatchOnFunctionError", False)),
            reports=REPORTS in (settings.get("FunctionResponseTypes") or ()),
            identify=form.identify,
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """Records that are tried together.

    Attributes:
        failures: attempts that count against the retries.
        calls: all attempts, for the destination's document.
    """

    records: Records
    failures: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with, what is given up, and what is tried again, in this order."""

    done: Records = ()
    given_up: Piece | None = None
    again: Sequence[Piece] = ()
    split: bool = False


def after(piece: Piece, call: Call, policy: Policy) -> Decision:
    """Decide after the function has run."""
    records = piece.records
    first = _first_failure(records, call, policy)
    if first is None:
        return Decision(done=records)
    done, rest = records[:first], records[first:]
    calls = piece.calls + 1
    if policy.bisects and len(rest) > 1:
        if done:
            return Decision(done=done, again=[Piece(rest, 0, calls)], split=True)
        middle = (len(rest) + 1) // 2
        halves = [Piece(half, piece.failures, calls) for half in (rest[:middle], rest[middle:])]
        return Decision(again=halves, split=True)
    # What failed for the first time begins its own count.
    failures = 1 if done else piece.failures + 1
    left = Piece(rest, failures, calls)
    if 0 <= policy.attempts_max < failures:
        return Decision(done=done, given_up=left)
    return Decision(done=done, again=[left])


def expired(piece: Piece, policy: Policy, now_s: float) -> tuple[Piece | None, Piece | None]:
    """Split off the records at the front that are too old; returns them, and the rest."""
    if policy.age_max_s < 0:
        return None, piece
    oldest = now_s - policy.age_max_s
    records = piece.records
    count = next(
        (n for n, record in enumerate(records) if record.arrived_s >= oldest), len(records)
    )
    if not count:
        return None, piece
    old = Piece(records[:count], piece.failures, piece.calls)
    rest = Piece(records[count:], piece.failures, piece.calls)
    return old, rest if rest.records else None


def _first_failure(records: Records, call: Call, policy: Policy) -> int | None:
    if call.verdict is not Verdict.SUCCEEDED:
        return 0
    if not policy.reports:
        return None
    failed = failed_items(call.payload, {record.sequence for record in records}, policy.identify)
    if failed is None:
        return 0
    return next((n for n, record in enumerate(records) if record.sequence in failed), None)
