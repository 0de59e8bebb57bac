"""All metrics and alarms of this daemon, and when alarms are looked at.

An alarm is looked at when its metric gets data and at the end of each of its periods; one timer
serves them all. Its state and what its actions promise are one transaction.
Mutable: the alarms by key, on the event loop alone and only after the database has changed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.neighbours.cloudwatch import rows
from lambdad.neighbours.cloudwatch.actions import deliveries
from lambdad.neighbours.cloudwatch.alarms import Alarm, Judgement, begins, judge
from lambdad.neighbours.cloudwatch.model import MetricKey, Point, across_units
from lambdad.neighbours.delivery import outbox_rows
from lambdad.neighbours.delivery.courier import Courier
from lambdad.neighbours.delivery.outbox import Outbox
from lambdad.neighbours.hosting import Setup
from lambdad.storage.database import Database

_LOGGER = logging.getLogger(__name__)
_KEPT_S = 15 * 86_400
_SWEEP_S = 3_600
_IDLE_S = 3_600.0

AlarmKey = tuple[str, str, str]


class Monitor:
    """What CloudWatch's operations call; for others in this process, :meth:`put`."""

    def __init__(self, db: Database, clock: Clock, courier: Courier) -> None:
        self.db = db
        self.clock = clock
        self.outbox = Outbox(db, clock, courier)
        self._courier = courier
        self._alarms: dict[AlarmKey, Alarm] = {}
        self._changed = asyncio.Event()
        self._touched: set[MetricKey] = set()
        self._stopping = False
        self._ended = asyncio.Event()
        self._looking = asyncio.Lock()

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database, load the alarms and begin to look at them."""
        db = setup.database()
        await db.open()
        monitor = cls(db, setup.clock, Courier(setup, "cloudwatch"))
        for account_id, region, name, settings, state, tags in await db.read(rows.alarms):
            alarm = Alarm(
                account_id=account_id,
                region=region,
                name=name,
                settings=json.loads(settings),
                state=json.loads(state),
                tags=json.loads(tags),
            )
            monitor._alarms[alarm.key] = alarm
        monitor.outbox.start(setup.spawn)
        setup.spawn(monitor._run())
        return monitor

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        self._stopping = True
        self._changed.set()
        await self._ended.wait()
        await self.outbox.close()
        self._courier.close()
        await self.db.close()

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self.clock.time() * 1_000)

    async def put(self, found: Mapping[MetricKey, Sequence[Point]]) -> None:
        """Add what was measured to metrics; durable on return."""

        def job(db: sqlite3.Connection) -> None:
            for key, points in found.items():
                rows.put(db, key, points)

        await self.db.write(job)
        watched = {alarm.metric for alarm in self._alarms.values()}
        if touched := watched & found.keys():
            self._touched |= touched
            self._changed.set()

    async def points(self, key: MetricKey, start_s: int, end_s: int) -> list[Point]:
        """Return what was put of a metric between two times."""
        return await self.db.read(partial(rows.points, key=key, start_s=start_s, end_s=end_s))

    def alarms(self, account_id: str, region: str) -> list[Alarm]:
        """Return the alarms of an account in a region, by name."""
        found = [each for each in self._alarms.values() if each.key[:2] == (account_id, region)]
        return sorted(found, key=lambda alarm: alarm.name)

    def find(self, key: AlarmKey) -> Alarm | None:
        """Return an alarm, or None."""
        return self._alarms.get(key)

    async def put_alarm(self, alarm: Alarm, summary: str | None = None) -> None:
        """Store an alarm, and look at it soon. One that is there keeps its state."""
        async with self._looking:
            before = self._alarms.get(alarm.key)
            if before is not None:
                configured_ms = alarm.state["configured_ms"]
                alarm.state = {**before.state, "configured_ms": configured_ms}
            at_ms, state = self.now_ms(), alarm.state
            job = partial(_store, alarm=alarm, at_ms=at_ms, summary=summary, state=state)
            await self.db.write(job)
            self._alarms[alarm.key] = alarm
        self._touched.add(alarm.metric)
        self._changed.set()

    async def delete_alarm(self, alarm: Alarm) -> None:
        """Forget an alarm."""
        async with self._looking:
            await self.db.write(partial(rows.remove_alarm, key=alarm.key))
            self._alarms.pop(alarm.key, None)

    async def change_state(self, alarm: Alarm, judgement: Judgement) -> None:
        """Store another state of an alarm with what its actions promise."""
        now_ms, before = self.now_ms(), alarm.state
        after = {
            **before,
            "value": judgement.value,
            "reason": judgement.reason,
            "data": judgement.data,
            "updated_ms": now_ms,
            "transitioned_ms": now_ms,
        }
        promised = deliveries(alarm, before, after)
        summary = f"Alarm updated from {before['value']} to {judgement.value}"

        def job(db: sqlite3.Connection) -> None:
            _store(db, alarm, now_ms, summary, after, kind="StateUpdate")
            outbox_rows.insert(db, promised)

        await self.db.write(job, then=lambda _: self.outbox.wake())
        alarm.state = after

    async def _run(self) -> None:
        swept_s = 0.0
        try:
            while not self._stopping:
                wait_s = await self._pause_s()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait()
                except TimeoutError:
                    self._touched |= {alarm.metric for alarm in self._alarms.values()}
                self._changed.clear()
                touched, self._touched = self._touched, set()
                try:
                    await self._look(touched)
                    if self.clock.monotonic() - swept_s >= _SWEEP_S:
                        swept_s = self.clock.monotonic()
                        await self._sweep()
                except PlatformError:
                    _LOGGER.exception("Alarms could not be looked at")
        finally:
            self._ended.set()

    async def _pause_s(self) -> float:
        """Return how long it is to the end of the next period of any alarm."""
        now_s = self.clock.time()
        ends = [alarm.period_s - now_s % alarm.period_s for alarm in self._alarms.values()]
        return min([*ends, 60.0]) if ends else _IDLE_S

    async def _look(self, metrics: set[MetricKey]) -> None:
        for alarm in list(self._alarms.values()):
            if self._stopping or alarm.metric not in metrics:
                continue
            async with self._looking:
                if self._alarms.get(alarm.key) is alarm:
                    await self._look_at(alarm)

    async def _look_at(self, alarm: Alarm) -> None:
        now_s = self.clock.time()
        start_s = begins(alarm, now_s)[0]
        found = await self.points(alarm.metric, start_s, int(now_s) + 1)
        unit = alarm.settings.get("Unit")
        chosen = [each for each in found if unit is None or each.unit == unit]
        judgement = judge(alarm, across_units(chosen, start_s, alarm.period_s), now_s)
        if judgement is not None and judgement.value != alarm.state["value"]:
            await self.change_state(alarm, judgement)

    async def _sweep(self) -> None:
        before_s = int(self.clock.time()) - _KEPT_S
        while not self._stopping and await self.db.write(partial(rows.expire, before_s=before_s)):
            pass


def _store(
    db: sqlite3.Connection,
    alarm: Alarm,
    at_ms: int,
    summary: str | None,
    state: Mapping[str, Any],
    *,
    kind: str = "ConfigurationUpdate",
) -> None:
    rows.put_alarm(db, alarm.key, alarm.settings, state, alarm.tags)
    if summary is not None:
        data = json.dumps({"type": kind, "version": "1.0", "newState": state["value"]})
        rows.note(db, alarm.key, at_ms, (kind, summary, data))
