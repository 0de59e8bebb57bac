"""All schedules of this daemon, and what fires them.

A run has happened when its delivery stands in the outbox and the schedule remembers it, which is
one transaction. Mutable: what is loaded, on the event loop alone and only after the database has
changed.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Self

from botocore import xform_name

from lambdad.domain.clock import Clock
from lambdad.neighbours import documents
from lambdad.neighbours.delivery import outbox_rows
from lambdad.neighbours.delivery.courier import Courier
from lambdad.neighbours.delivery.model import Delivery, DeliveryFailed, Envelope
from lambdad.neighbours.delivery.outbox import Outbox
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.scheduler.errors import ResourceNotFoundException
from lambdad.neighbours.scheduler.invocations import delivery_of
from lambdad.neighbours.scheduler.model import DEFAULT, Group, Schedule
from lambdad.neighbours.scheduler.timing import has_ended, next_run
from lambdad.neighbours.schedules.timetable import Timetable
from lambdad.storage.database import Database


class Schedules:
    """What Scheduler's operations call."""

    def __init__(self, db: Database, clock: Clock, courier: Courier) -> None:
        self.db = db
        self.clock = clock
        self.outbox = Outbox(db, clock, courier)
        self.timetable = Timetable(self._fire, clock)
        self._courier = courier
        self._groups: dict[str, Group] = {}
        self._schedules: dict[str, Schedule] = {}

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Load everything and go on where the daemon stopped."""
        db = setup.database()
        await db.open()
        schedules = cls(db, setup.clock, ApiCourier(setup, "scheduler"))
        for document in (await db.read(partial(documents.load, kind="group"))).values():
            group = Group(**document)
            schedules._groups[group.arn] = group
        for document in (await db.read(partial(documents.load, kind="schedule"))).values():
            schedules._keep(Schedule(**document))
        schedules.outbox.start(setup.spawn)
        schedules.timetable.start(setup.spawn)
        return schedules

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        await self.timetable.close()
        await self.outbox.close()
        self._courier.close()
        await self.db.close()

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self.clock.time() * 1_000)

    def groups(self) -> list[Group]:
        """Return the groups that were made."""
        return list(self._groups.values())

    def schedules(self) -> list[Schedule]:
        """Return every schedule."""
        return list(self._schedules.values())

    def group(self, arn: str) -> Group:
        """Return a group; the default one always is there.

        Raises:
            ResourceNotFoundException: there is none.
        """
        group = self._groups.get(arn)
        parts = arn.split(":", 5)
        name = parts[5].partition("/")[2]
        if group is None and name == DEFAULT:
            return Group(
                account_id=parts[4], region=parts[3], name=DEFAULT, created_ms=0, modified_ms=0
            )
        if group is None:
            raise ResourceNotFoundException(f"Schedule group {name} does not exist.")
        return group

    def schedule(self, arn: str) -> Schedule:
        """Return a schedule.

        Raises:
            ResourceNotFoundException: there is none.
        """
        schedule = self._schedules.get(arn)
        if schedule is None:
            raise ResourceNotFoundException(f"Schedule {arn.rpartition('/')[2]} does not exist.")
        return schedule

    def find(self, arn: str) -> Schedule | None:
        """Return a schedule, or None."""
        return self._schedules.get(arn)

    async def put_group(self, group: Group) -> None:
        """Store a group, in place of the one with its ARN."""
        job = partial(documents.put, kind="group", key=group.arn, document=asdict(group))

        def then(_: None) -> None:
            self._groups[group.arn] = group

        await self.db.write(job, then=then)

    async def put(self, schedule: Schedule) -> None:
        """Store a schedule, in place of the one with its ARN."""
        job = partial(documents.put, kind="schedule", key=schedule.arn, document=asdict(schedule))
        await self.db.write(job, then=lambda _: self._keep(schedule))

    async def remove(self, schedule: Schedule) -> None:
        """Forget a schedule."""
        job = partial(documents.remove, kind="schedule", key=schedule.arn)
        await self.db.write(job, then=lambda _: self._drop(schedule))

    async def remove_group(self, group: Group) -> None:
        """Forget a group with its schedules."""
        gone = [each for each in self.schedules() if each.group_arn == group.arn]

        def job(db: sqlite3.Connection) -> None:
            documents.remove(db, "group", group.arn)
            for each in gone:
                documents.remove(db, "schedule", each.arn)

        def then(_: None) -> None:
            self._groups.pop(group.arn, None)
            for each in gone:
                self._drop(each)

        await self.db.write(job, then=then)

    async def _fire(self, arn: str) -> None:
        schedule = self._schedules.get(arn)
        run = None if schedule is None else next_run(schedule, self.clock.time())
        if schedule is None or run is None:
            return
        if run.due_s > self.clock.time():
            self.timetable.set(arn, run.due_s)
            return
        fired = replace(schedule, fired_ms=int(run.scheduled_s * 1_000))
        delivery = delivery_of(schedule, run.scheduled_s, self.now_ms())
        over = schedule.after_completion == "DELETE" and has_ended(schedule, run.scheduled_s)

        def job(db: sqlite3.Connection) -> list[Delivery]:
            if over:
                documents.remove(db, "schedule", arn)
            else:
                documents.put(db, "schedule", arn, asdict(fired))
            return outbox_rows.insert(db, [delivery])

        def then(stored: list[Delivery]) -> None:
            self.outbox.promised(stored)
            if over:
                self._drop(schedule)
            elif (current := self._schedules.get(arn)) is not None:
                self._keep(replace(current, fired_ms=fired.fired_ms))

        await self.db.write(job, then=then)

    def _keep(self, schedule: Schedule) -> None:
        self._schedules[schedule.arn] = schedule
        run = next_run(schedule, self.clock.time())
        self.timetable.set(schedule.arn, None if run is None else run.due_s)

    def _drop(self, schedule: Schedule) -> None:
        self._schedules.pop(schedule.arn, None)
        self.timetable.set(schedule.arn, None)


_PREFIX = "arn:aws:scheduler:::aws-sdk:"
# Where the SDK for JavaScript has other names for services.
_SERVICES = {"cloudwatchlogs": "logs", "eventbridge": "events", "sfn": "stepfunctions"}


class ApiCourier(Courier):
    """Calls any operation of any service for universal targets, beside what `Courier` reaches."""

    async def deliver(self, envelope: Envelope, payload: str) -> None:
        """Deliver once.

        Raises:
            DeliveryFailed: the target did not take it.
        """
        if not envelope.arn.startswith(_PREFIX):
            await super().deliver(envelope, payload)
            return
        service, _, action = envelope.arn.removeprefix(_PREFIX).partition(":")
        try:
            params: dict[str, Any] = json.loads(payload)
        except ValueError as error:
            raise DeliveryFailed("SDK_CLIENT_ERROR", "Input is no JSON.", final=True) from error
        await self._calls.call(
            _SERVICES.get(service, service),
            envelope.account_id,
            str(envelope.options["region"]),
            xform_name(action[:1].upper() + action[1:]),
            **params,
        )
