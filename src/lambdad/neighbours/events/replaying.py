"""Replays: archived events that arrive again, in batches.

A batch and the progress share a transaction; a replay goes on after a restart where the last batch
was stored. Mutable: whether it runs.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lambdad.neighbours import documents
from lambdad.neighbours.delivery import outbox_rows
from lambdad.neighbours.delivery.model import Delivery
from lambdad.neighbours.events import archive_rows
from lambdad.neighbours.events.deliveries import Arrival
from lambdad.neighbours.events.model import BusKey, Replay
from lambdad.neighbours.hosting import SpawnTask

if TYPE_CHECKING:
    from lambdad.neighbours.events.parts import Buses

GOING = ("STARTING", "RUNNING", "CANCELLING")


class Replayer:
    """See the module."""

    def __init__(self, buses: Buses) -> None:
        self._buses = buses
        self._woken = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.Event()
        self._ended.set()

    def start(self, spawn: SpawnTask) -> None:
        """Go on with what was begun."""
        self._ended.clear()
        spawn(self._run())

    def wake(self) -> None:
        """There is a replay to begin."""
        self._woken.set()

    async def close(self) -> None:
        """Stop after the batch in hand."""
        self._stopping = True
        self._woken.set()
        await self._ended.wait()

    async def _run(self) -> None:
        try:
            while not self._stopping:
                self._woken.clear()
                for replay in self._buses.all(Replay):
                    if replay.state in GOING and not self._stopping:
                        await self._step(replay)
                        self._woken.set()
                await self._woken.wait()
        finally:
            self._ended.set()

    async def _step(self, replay: Replay) -> None:
        buses = self._buses
        if replay.state == "CANCELLING":
            await buses.put(replace(replay, state="CANCELLED", ended_ms=buses.now_ms()))
            return
        archive = str(replace(replay.key, name=replay.source_arn.partition("/")[2]))
        last = (replay.last_ms or 0, replay.last_id)
        rows = await buses.db.read(
            partial(
                archive_rows.after,
                archive=archive,
                from_ms=replay.from_ms,
                to_ms=replay.to_ms,
                last=last,
            )
        )
        if not rows:
            await buses.put(replace(replay, state="COMPLETED", ended_ms=buses.now_ms()))
            return
        destination = replay.settings["Destination"]
        parts = destination["Arn"].split(":", 5)
        bus = BusKey(account_id=parts[4], region=parts[3], name=parts[5].partition("/")[2])
        promised = [
            delivery
            for _, _, text in rows
            for delivery in buses.set_off(
                Arrival(bus=bus, event={**json.loads(text), "replay-name": replay.name}),
                destination.get("FilterArns") or None,
            )
        ]
        further = replace(replay, state="RUNNING", last_ms=rows[-1][1], last_id=rows[-1][0])
        await buses.db.write(partial(_store, replay=further, promised=promised))
        if (current := buses.find(Replay, str(replay.key))) is not None:
            state = "CANCELLING" if current.state == "CANCELLING" else "RUNNING"
            buses.remember(replace(further, state=state))
        buses.outbox.wake()


def _store(db: sqlite3.Connection, replay: Replay, promised: Sequence[Delivery]) -> None:
    documents.put(db, "replay", str(replay.key), replay.document())
    outbox_rows.insert(db, promised)
