"""What is put on a bus goes on at once: nothing on the way waits for a time to come."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from tests.integration.neighbours.test_schedules import FUNCTION, a_rule

from lambdad.neighbours.events.deliveries import Arrival
from lambdad.neighbours.events.model import BusKey
from lambdad.neighbours.events.parts import Buses
from lambdad.testing.clock import FakeClock
from lambdad.testing.neighbours import RecordedPushes, running

EVENTS = 100
BUS = BusKey(account_id="000000000000", region="us-east-1", name="default")


async def test_an_event_reaches_its_function_though_time_stands_still(tmp_path: Path) -> None:
    """Neither the service's clock nor the loop's goes: a pause of any length would never end."""
    functions = RecordedPushes()
    opening = running("events", Buses.open, tmp_path, clock=FakeClock(), functions=functions)
    async with opening as buses:
        await buses.put(replace(a_rule(""), schedule=None, pattern='{"source": ["shop"]}'))
        loop = asyncio.get_running_loop()
        now = loop.time()
        loop.time = lambda: now  # type: ignore[method-assign]
        for number in range(EVENTS):
            event = {"id": f"{number}", "source": "shop", "detail": {"number": number}}
            await buses.accept([Arrival(bus=BUS, event=event)])
        came = [await functions.next() for _ in range(EVENTS)]
        del loop.time
    assert {arn for arn, _ in came} == {FUNCTION}
    assert {json.loads(text)["detail"]["number"] for _, text in came} == set(range(EVENTS))
