"""Polls a queue: workers that each receive, call the function, and delete what it has done.

Decides when to receive, how long to try, and what to delete; the queue itself decides when a
message that was not deleted comes back, and when it is a dead letter.
Mutable: workers, what is being received, and which groups are in hand.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable, Sequence
from typing import Any

from lambdad.domain.clock import Clock
from lambdad.domain.event_source_mappings import EventSourceMapping, SourceKind
from lambdad.event_source_mappings import metric_names
from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.base import AwsApi, AwsRefused, AwsUnreachable, Results, Sleep
from lambdad.event_source_mappings.batching import EVENT_BYTES_MAX, event_of, fitting
from lambdad.event_source_mappings.calls import Call, Calls, Verdict
from lambdad.event_source_mappings.counting import Counting
from lambdad.event_source_mappings.filtering import Filters
from lambdad.event_source_mappings.queue_records import Message, message_of
from lambdad.event_source_mappings.responses import REPORTS, failed_items
from lambdad.event_source_mappings.scaling import Scaling
from lambdad.event_source_mappings.shown import Shown
from lambdad.event_source_mappings.stopping import Stopping

_LOGGER = logging.getLogger(__name__)

LONG_POLL_S = 20
_AT_ONCE = 10
_ANSWER_S = 15.0
_DEFAULT_VISIBILITY_S = 30
_VISIBILITY_LASTS_S = 60.0
_DELETE_TRIES = 4
_DELETES_AT_ONCE = 8


class QueuePoller:
    """See `base.Poller`."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        *,
        api: AwsApi,
        calls: Calls,
        counting: Counting,
        results: Results,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._mapping = mapping
        self._arn: str = mapping.settings["EventSourceArn"]
        _, _, _, self._region, account_id, name = self._arn.split(":", 5)
        self._url = f"/{account_id}/{name}"
        self._api = api
        self._calls = calls
        self._counting = counting
        self._clock = clock
        self._stopping = Stopping(sleep)
        self._size = int(mapping.settings.get("BatchSize", 10))
        self._window_s = float(mapping.settings.get("MaximumBatchingWindowInSeconds", 0))
        self._reports = REPORTS in (mapping.settings.get("FunctionResponseTypes") or ())
        self._filters = Filters.of(mapping)
        self._scaling = Scaling(mapping.settings, clock.monotonic())
        # Where a batch may wait for more, one worker fills it: five would share what comes.
        self._filling = asyncio.Semaphore(1 if self._window_s else self._scaling.maximum)
        self._groups: set[str] = set()
        self._visibility = (0.0, -math.inf)
        self._shown = Shown(results, mapping)

    def stop(self) -> None:
        """See `base.Poller`."""
        self._stopping.stop()

    async def run(self) -> None:
        """See `base.Poller`."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for _ in range(self._scaling.initial):
                self._add_worker()

    def _add_worker(self) -> None:
        self._scaling.size += 1
        self._group.create_task(self._work())

    async def _work(self) -> None:
        troubles, failures = Backoff(0.5, 30.0), Backoff(0.05, 10.0)
        try:
            while not self._stopping.stopped:
                try:
                    batch = await self._fill()
                except (AwsRefused, AwsUnreachable) as error:
                    await self._show(f"PROBLEM: {error}")
                    await self._stopping.pause(troubles.failed())
                    continue
                troubles.succeeded()
                if batch:
                    verdict = await self._work_on(batch)
                    if verdict is Verdict.THROTTLED and self._scaling.spare:
                        return
                    await self._rest_after(verdict, failures)
                elif self._scaling.spare:
                    return
        finally:
            self._scaling.size -= 1

    async def _rest_after(self, verdict: Verdict, failures: Backoff) -> None:
        """Let messages that fail over and over not keep the function busy."""
        if verdict is Verdict.SUCCEEDED:
            failures.succeeded()
        else:
            await self._stopping.pause(failures.failed())

    async def _fill(self) -> Sequence[Message]:
        """Receive a batch: the first message is waited for, others as long as the window says."""
        batch: list[Message] = []
        async with self._filling:
            deadline, size = math.inf, 0
            while len(batch) < self._size and size < EVENT_BYTES_MAX:
                left_s = deadline - self._clock.monotonic()
                if left_s <= 0 or self._stopping.stopped:
                    break
                got = await self._receive(
                    min(_AT_ONCE, self._size - len(batch)),
                    min(LONG_POLL_S, math.ceil(left_s)) if batch else LONG_POLL_S,
                )
                if not got and not batch:
                    break
                if not batch:
                    deadline = self._clock.monotonic() + self._window_s
                batch += got
                size += sum(len(message.document) for message in got)
        return batch

    async def _receive(self, count: int, wait_s: int) -> Sequence[Message]:
        answer = await self._stopping.unless_stopped(
            self._call(
                "ReceiveMessage",
                timeout_s=wait_s + _ANSWER_S,
                MaxNumberOfMessages=count,
                WaitTimeSeconds=wait_s,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        )
        received = (answer or {}).get("Messages") or ()
        return [message_of(each, self._arn) for each in received]

    async def _work_on(self, batch: Sequence[Message]) -> Verdict:
        if self._scaling.begins(self._clock.monotonic()) and not self._stopping.stopped:
            self._add_worker()
        mine = self._take_groups(batch)
        try:
            return await self._filter_and_deliver(mine)
        finally:
            self._groups.difference_update({each.group for each in mine} - {None})
            self._scaling.ends()

    def _take_groups(self, batch: Sequence[Message]) -> Sequence[Message]:
        """Leave out messages of groups that are in hand: the queue handed them out too early."""
        if self._mapping.kind is not SourceKind.SQS_FIFO:
            return batch
        mine = [each for each in batch if each.group not in self._groups]
        self._groups.update(each.group for each in mine if each.group is not None)
        return mine

    async def _filter_and_deliver(self, batch: Sequence[Message]) -> Verdict:
        begun = self._clock.monotonic()
        kept = [each for each in batch if self._filters.passes(each.record, each.body)]
        out = [each for each in batch if each not in kept] if len(kept) < len(batch) else []
        self._counting.add(metric_names.POLLED, len(batch))
        self._counting.add(metric_names.FILTERED_OUT, len(out))
        sent = [each.sent_ms for each in kept if each.sent_ms is not None]
        if sent:
            self._counting.age(metric_names.QUEUE_AGE_MS, min(sent) / 1_000)
        if out:
            await self._delete(out)
        verdict = Verdict.SUCCEEDED
        for part in fitting(kept):
            outcome = await self._deliver(part, begun)
            verdict = verdict if outcome is Verdict.SUCCEEDED else outcome
        return verdict

    async def _deliver(self, batch: Sequence[Message], begun: float) -> Verdict:
        call = await self._call_function(batch, begun)
        self._counting.add(
            metric_names.INVOKED if call.ran else metric_names.FAILED_INVOKE, len(batch)
        )
        failed = self._failures(call, batch)
        done = [each for each in batch if each.message_id not in failed]
        if call.verdict is not Verdict.SUCCEEDED or len(done) == len(batch):
            await self._show(call.text)
        if done:
            await self._delete(done)
        if call.verdict is Verdict.SUCCEEDED and not done:
            return Verdict.FAILED
        return call.verdict

    def _failures(self, call: Call, batch: Sequence[Message]) -> Iterable[str]:
        """Which messages stay in the queue."""
        everything = frozenset(message.message_id for message in batch)
        if call.verdict is not Verdict.SUCCEEDED:
            return everything
        if not self._reports:
            return frozenset()
        failed = failed_items(call.payload, everything)
        return everything if failed is None else failed

    async def _call_function(self, batch: Sequence[Message], begun: float) -> Call:
        """Call the function; while it cannot run, again and again until messages come back."""
        event = event_of(batch)
        throttled = Backoff(0.1, 5.0)
        sent = [each.sent_ms for each in batch if each.sent_ms is not None]
        oldest_s = min(sent) / 1_000 if sent else None
        while True:
            call = await self._calls.make(
                self._mapping, event, batch[0].trace, size=len(batch), oldest_s=oldest_s
            )
            if call.verdict not in (Verdict.THROTTLED, Verdict.REFUSED):
                return call
            delay_s = throttled.failed()
            patience_s = await self._visibility_s() - (self._clock.monotonic() - begun) - delay_s
            if patience_s <= 0 or self._stopping.stopped:
                return call
            await self._stopping.pause(delay_s)

    async def _visibility_s(self) -> float:
        """How long the queue hides what was received."""
        seconds, asked = self._visibility
        if self._clock.monotonic() - asked > _VISIBILITY_LASTS_S:
            seconds = _DEFAULT_VISIBILITY_S
            try:
                answer = await self._call(
                    "GetQueueAttributes", AttributeNames=["VisibilityTimeout"]
                )
                seconds = float(answer["Attributes"]["VisibilityTimeout"])
            except (AwsRefused, AwsUnreachable, KeyError) as error:
                _LOGGER.warning(
                    "mapping %s: %s is not known: %s", self._mapping.uuid, self._arn, error
                )
            self._visibility = (seconds, self._clock.monotonic())
        return seconds

    async def _delete(self, messages: Sequence[Message]) -> None:
        limit = asyncio.Semaphore(_DELETES_AT_ONCE)

        async def delete(some: Sequence[Message]) -> None:
            async with limit:
                await self._delete_some(some)

        parts = [messages[i : i + _AT_ONCE] for i in range(0, len(messages), _AT_ONCE)]
        await asyncio.gather(*map(delete, parts))

    async def _delete_some(self, messages: Sequence[Message]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt}
            for number, message in enumerate(messages)
        ]
        backoff = Backoff(0.1, 2.0)
        while True:
            try:
                answer = await self._call("DeleteMessageBatch", Entries=entries)
            except (AwsRefused, AwsUnreachable) as error:
                if backoff.failures + 1 >= _DELETE_TRIES:
                    # They come back, and the function sees them again.
                    _LOGGER.warning("mapping %s: not deleted: %s", self._mapping.uuid, error)
                    return
                await self._stopping.sleep(backoff.failed())
                continue
            self._counting.add(metric_names.DELETED, len(answer.get("Successful") or ()))
            for failure in answer.get("Failed") or ():
                _LOGGER.warning("mapping %s: not deleted: %s", self._mapping.uuid, failure)
            return

    async def _call(
        self, operation: str, *, timeout_s: float = _ANSWER_S, **params: Any
    ) -> dict[str, Any]:
        given = {"QueueUrl": self._url, **params}
        return await self._api.call("sqs", self._region, operation, given, timeout_s=timeout_s)

    async def _show(self, text: str) -> None:
        """Show what is wrong; AWS shows nothing for queues that are well."""
        await self._shown.show(text if text.startswith("PROBLEM") else None)
