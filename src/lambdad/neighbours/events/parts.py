"""All buses of this daemon: which rules and archives there are, and what an event sets off.

An event is accepted when it stands in the archives and in the outbox, with one transaction for a
request. Mutable: what is loaded, on the event loop alone and only after the database has changed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self, TypeVar
from uuid import uuid4

from lambdad.domain import event_patterns
from lambdad.domain.clock import Clock
from lambdad.neighbours import documents
from lambdad.neighbours.delivery import outbox_rows
from lambdad.neighbours.delivery.courier import Courier
from lambdad.neighbours.delivery.model import Delivery, DeliveryFailed, Envelope
from lambdad.neighbours.delivery.outbox import Outbox
from lambdad.neighbours.events import archive_rows
from lambdad.neighbours.events.deliveries import HOPS_MAX, Arrival, deliveries
from lambdad.neighbours.events.errors import ResourceNotFoundException, no_bus, no_rule
from lambdad.neighbours.events.model import (
    DEFAULT,
    Archive,
    Bus,
    BusKey,
    Replay,
    Rule,
    timestamp,
)
from lambdad.neighbours.events.replaying import Replayer
from lambdad.neighbours.events.timetable import due_of
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.schedules.timetable import Timetable
from lambdad.storage.database import Database

Item = TypeVar("Item", bound=Bus)


_DAY_MS = 86_400_000
# Where their documents stand.
_KINDS: Mapping[type[Bus], str] = {
    Bus: "bus",
    Rule: "rule",
    Archive: "archive",
    Replay: "replay",
}


class Buses:
    """What EventBridge's operations call; for others in this process, :meth:`accept`."""

    def __init__(self, db: Database, clock: Clock, courier: Courier) -> None:
        self.db = db
        self.clock = clock
        self.courier = courier
        self.outbox = Outbox(db, clock, courier)
        self.timetable = Timetable(self._fire, clock)
        self.replayer = Replayer(self)
        self._items: dict[type[Bus], dict[str, Any]] = {kind: {} for kind in _KINDS}
        self._rules_by_bus: dict[BusKey, dict[str, Rule]] = {}

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Load everything and go on where the daemon stopped."""
        db = setup.database()
        await db.open()
        courier = BusCourier(setup, "events")
        buses = courier.buses = cls(db, setup.clock, courier)
        for loads, kind in _KINDS.items():
            found = await db.read(partial(documents.load, kind=kind))
            for document in found.values():
                buses.remember(loads.load(document))
        buses.outbox.start(setup.spawn)
        buses.timetable.start(setup.spawn)
        buses.replayer.start(setup.spawn)
        return buses

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        await self.timetable.close()
        await self.replayer.close()
        await self.outbox.close()
        self.courier.close()
        await self.db.close()

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self.clock.time() * 1_000)

    def all(self, kind: type[Item]) -> list[Item]:
        """Return all buses, rules, archives or replays that were made."""
        return list(self._items[kind].values())

    def find(self, kind: type[Item], key: str) -> Item | None:
        """Return the one with this key, which is what its text is."""
        found: Item | None = self._items[kind].get(key)
        return found

    def bus(self, key: BusKey) -> Bus:
        """Return a bus; the default one always is there.

        Raises:
            ResourceNotFoundException: there is none.
        """
        found = self.find(Bus, str(key))
        if found is not None:
            return found
        if key.name != DEFAULT:
            raise no_bus(key.name)
        return Bus(
            account_id=key.account_id, region=key.region, name=DEFAULT, created_ms=0, modified_ms=0
        )

    def rule(self, bus: BusKey, name: str) -> Rule:
        """Return a rule.

        Raises:
            ResourceNotFoundException: there is none.
        """
        rule = self._rules_by_bus.get(bus, {}).get(name)
        if rule is None:
            raise no_rule(name, bus.name)
        return rule

    def rules(self, bus: BusKey) -> list[Rule]:
        """Return the rules of a bus."""
        return list(self._rules_by_bus.get(bus, {}).values())

    async def put(self, item: Bus) -> None:
        """Store a bus, rule, archive or replay, in place of the one with its key."""
        kind, key = _KINDS[type(item)], key_of(item)
        job = partial(documents.put, kind=kind, key=key, document=item.document())
        await self.db.write(job, then=lambda _: self.remember(item))

    async def remove(self, item: Bus) -> None:
        """Forget one."""
        kind, key = _KINDS[type(item)], key_of(item)

        def job(db: sqlite3.Connection) -> None:
            documents.remove(db, kind, key)
            if isinstance(item, Archive):
                archive_rows.clear(db, key)

        await self.db.write(job, then=lambda _: self._drop(item))

    async def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Accept events; returns when what they set off is certain to happen."""
        promised = [each for arrival in arrivals for each in self.set_off(arrival)]
        kept = [(each, arrival) for arrival in arrivals for each in self._archives(arrival)]
        archived = [(str(each.key), arrival.time_ms, arrival.text) for each, arrival in kept]
        limited = {str(each.key): each.retention_days for each, _ in kept if each.retention_days}
        now_ms = self.now_ms()
        if not promised and not archived:
            return

        def job(db: sqlite3.Connection) -> list[Delivery]:
            archive_rows.insert(db, archived)
            for key, days in limited.items():
                archive_rows.expire(db, key, now_ms - days * _DAY_MS)
            return outbox_rows.insert(db, promised)

        await self.db.write(job, then=self.outbox.promised)

    def set_off(self, arrival: Arrival, only: Iterable[str] | None = None) -> list[Delivery]:
        """Return what the rules of its bus make of an event; `only` are ARNs of rules."""
        wanted = None if only is None else set(only)
        return [
            delivery
            for rule in self.rules(arrival.bus)
            if rule.enabled
            and rule.parsed_pattern is not None
            and (wanted is None or rule.arn in wanted)
            and event_patterns.matches(rule.parsed_pattern, arrival.event)
            for delivery in deliveries(rule, arrival, self.now_ms())
        ]

    async def _fire(self, key: str) -> None:
        """Let a schedule's rule send its event and remember that it did."""
        rule = self.find(Rule, key)
        due_s = None if rule is None else due_of(rule, self.clock.time())
        if rule is None or due_s is None:
            return
        if due_s > self.clock.time():  # it slept through its time
            self.timetable.set(key, due_s)
            return
        due_ms = int(due_s * 1_000)
        event = {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": rule.account_id,
            "time": timestamp(due_ms),
            "region": rule.region,
            "resources": [rule.arn],
            "detail": {},
        }
        fired = replace(rule, fired_ms=due_ms)
        promised = deliveries(rule, Arrival(bus=rule.bus_key, event=event), self.now_ms())

        def job(db: sqlite3.Connection) -> list[Delivery]:
            documents.put(db, "rule", key_of(fired), fired.document())
            return outbox_rows.insert(db, promised)

        def then(stored: list[Delivery]) -> None:
            current = self.find(Rule, key_of(rule))
            if current is not None:
                self.remember(replace(current, fired_ms=due_ms))
            self.outbox.promised(stored)

        await self.db.write(job, then=then)

    def _archives(self, arrival: Arrival) -> list[Archive]:
        if "replay-name" in arrival.event:
            return []
        return [
            archive
            for archive in self.all(Archive)
            if archive.source_arn == arrival.bus.arn
            and (
                archive.parsed_pattern is None
                or event_patterns.matches(archive.parsed_pattern, arrival.event)
            )
        ]

    def remember(self, item: Bus) -> None:
        """Hold in memory what is stored."""
        self._items[type(item)][key_of(item)] = item
        if isinstance(item, Rule):
            self._rules_by_bus.setdefault(item.bus_key, {})[item.name] = item
            self.timetable.set(str(item), due_of(item, self.clock.time()))

    def _drop(self, item: Bus) -> None:
        self._items[type(item)].pop(key_of(item), None)
        if isinstance(item, Rule):
            self._rules_by_bus.get(item.bus_key, {}).pop(item.name, None)
            self.timetable.set(str(item), None)


def key_of(item: Bus) -> str:
    """Return the key under which something is stored."""
    return str(item) if isinstance(item, Rule) else str(item.key)


class BusCourier(Courier):
    """Takes what goes to a bus there without detours."""

    buses: Buses

    async def _to_bus(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        key = BusKey(account_id=parts[4], region=parts[3], name=parts[5].partition("/")[2])
        hops = int(envelope.options.get("hops", 0))
        if hops >= HOPS_MAX:
            raise DeliveryFailed("LOOP", "The event went round too often.", final=True)
        try:
            self.buses.bus(key)
        except ResourceNotFoundException as error:
            raise DeliveryFailed("RESOURCE_NOT_FOUND", error.message, final=True) from error
        event: Mapping[str, Any] = json.loads(payload)
        await self.buses.accept([Arrival(bus=key, event=event, hops=hops + 1)])
