"""Takes a batch of a shard to the function until it is done, given up, or polling stops.

What happens after each call is decided by `retrying`. What is done is stored before the next call.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from lambdad.event_source_mappings import discards, metric_names
from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.base import FUNCTION_FAILED
from lambdad.event_source_mappings.batching import EVENT_BYTES_MAX
from lambdad.event_source_mappings.calls import Call, Verdict
from lambdad.event_source_mappings.retrying import (
    AGE_EXCEEDED,
    ATTEMPTS_EXHAUSTED,
    TOO_LARGE,
    Piece,
    Policy,
    Records,
    after,
    expired,
)
from lambdad.event_source_mappings.shard_state import Ordered, Work

_LOGGER = logging.getLogger(__name__)

# After so many failures in a row it is worth asking whether the source still has the records.
_SUSPECT = 4


class Delivery:
    """Of one lane of a shard. Mutable: the failures in a row."""

    def __init__(self, work: Work, shard: Ordered) -> None:
        self._work = work
        self._shard = shard
        self._policy = Policy.of(work.mapping.settings, work.form)
        self._failed = Backoff(0.1, 30.0)
        self._refused = Backoff(0.1, 10.0)

    async def deliver(self, records: Records) -> bool:
        """Deliver records in order; False if polling stopped before all was done."""
        left = [Piece(records)]
        while left:
            piece = await self._young(left.pop())
            if piece is None:
                continue
            call = await self._call(piece)
            if call is None:
                return False
            self._work.counting.add(metric_names.INVOKED, len(piece.records))
            decision = after(piece, call, self._policy)
            if decision.given_up is not None:
                await self._give_up(decision.given_up, ATTEMPTS_EXHAUSTED, call)
            await self._done(decision.done)
            left += reversed(decision.again)
            if not decision.again or decision.split:
                self._failed.succeeded()
            else:
                await self._work.stopping.pause(self._failed.failed())
        return True

    async def close_window(self, *, early: bool = False) -> bool:
        """Tell the function that its window ends; False if polling stopped before that."""
        failures = 0
        while True:
            call = await self._call(Piece(()), final=True, early=early)
            if call is None:
                return False
            failures += call.verdict is not Verdict.SUCCEEDED
            if call.verdict is Verdict.SUCCEEDED or 0 <= self._policy.attempts_max < failures:
                return True
            await self._work.stopping.pause(self._failed.failed())

    async def _young(self, piece: Piece) -> Piece | None:
        """Give up what is too old or too large; returns the rest."""
        if len(piece.records) == 1 and len(piece.records[0].document) > EVENT_BYTES_MAX:
            await self._give_up(piece, TOO_LARGE, None)
            return None
        old, rest = expired(piece, self._policy, self._work.clock.time())
        if old is not None:
            await self._give_up(old, AGE_EXCEEDED, None)
        return rest if rest is None else await self._kept(rest)

    async def _kept(self, piece: Piece) -> Piece | None:
        """Give up what the source has given up while the function failed; returns the rest."""
        oldest = await self._shard.oldest() if self._failed.failures >= _SUSPECT else None
        if oldest is None or int(piece.records[0].sequence) >= oldest:
            return piece
        count = sum(int(record.sequence) < oldest for record in piece.records)
        gone, rest = piece.records[:count], piece.records[count:]
        await self._give_up(replace(piece, records=gone), AGE_EXCEEDED, None)
        return replace(piece, records=rest) if rest else None

    async def _call(self, piece: Piece, *, final: bool = False, early: bool = False) -> Call | None:
        """Call until the function runs; None when polling stops, or records became too old."""
        work = self._work
        while not work.stopping.stopped:
            event = self._event(piece, final=final, early=early)
            if piece.records and work.form.aged:
                work.counting.age(metric_names.ITERATOR_AGE_MS, piece.records[-1].arrived_s)
            oldest_s = piece.records[0].arrived_s if piece.records and work.form.aged else None
            call = await work.calls.make(
                work.mapping, event, None, size=len(piece.records), oldest_s=oldest_s
            )
            if call.ran:
                self._refused.succeeded()
                call = self._with_state(call)
                await self._show(call.text)
                return call
            work.counting.add(metric_names.FAILED_INVOKE, len(piece.records))
            await self._show(call.text)
            await work.stopping.pause(self._refused.failed())
            if self._too_old(piece):
                return call
        return None

    def _too_old(self, piece: Piece) -> bool:
        return expired(piece, self._policy, self._work.clock.time())[0] is not None

    def _event(self, piece: Piece, *, final: bool, early: bool) -> bytes:
        window = self._shard.window
        if window is None:
            return self._work.form.event(piece.records)
        return window.event(
            piece.records,
            shard_id=self._shard.shard_id,
            source_arn=self._work.mapping.settings["EventSourceArn"],
            final=final,
            early=early,
        )

    def _with_state(self, call: Call) -> Call:
        """Take over a window's state; a function that gives none back has failed."""
        window = self._shard.window
        if window is None or call.verdict is not Verdict.SUCCEEDED or window.absorb(call.payload):
            return call
        return Call(
            verdict=Verdict.FAILED,
            request_id=call.request_id,
            payload=call.payload,
            text=FUNCTION_FAILED,
            executed_version=call.executed_version,
        )

    async def _give_up(self, piece: Piece, condition: str, call: Call | None) -> None:
        work = self._work
        work.counting.add(metric_names.DROPPED, len(piece.records))
        target = discards.destination_of(work.mapping)
        if target is not None:
            events = discards.reports(
                work.mapping,
                target,
                piece,
                condition=condition,
                call=call,
                shard_id=self._shard.shard_id,
                form=work.form,
                now_s=work.clock.time(),
            )
            # Before the checkpoint: what is lost in between is told twice, not never.
            for event in events:
                await work.send(event)
            work.counting.add(metric_names.DELIVERED, len(piece.records))
        _LOGGER.warning(
            "mapping %s gave up %d records of %s: %s",
            work.mapping.uuid,
            len(piece.records),
            self._shard.shard_id,
            condition,
        )
        await self._done(piece.records)

    async def _done(self, records: Records) -> None:
        self._shard.progress.done(records)
        await self._shard.save()

    async def _show(self, text: str) -> None:
        await self._work.results.show(text)
