"""Rollback triggers: alarms that speak against what an operation has made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lambdad.neighbours.cloudformation.calls import Calls
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.journal import Journal
from lambdad.neighbours.cloudformation.model import Stack
from lambdad.neighbours.cloudformation.provisioner import Provisioner
from lambdad.neighbours.cloudformation.types.base import ResourceFailed

_POLL_S = 1.0
_ALARM = "AWS::CloudWatch::Alarm"


def checked_triggers(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a request's RollbackConfiguration.

    Raises:
        ValidationError: it names what is no alarm.
    """
    for each in (config or {}).get("RollbackTriggers") or ():
        if each["Type"] != _ALARM:
            raise ValidationError(f"Rollback triggers of type {each['Type']} are not supported.")
    return dict(config or {})


async def breach(
    stack: Stack, journal: Journal, provisioner: Provisioner, stopped: asyncio.Event
) -> str | None:
    """Return why an operation is to be taken back, None once its monitoring time has passed."""
    arns = [each["Arn"] for each in stack.rollback.get("RollbackTriggers") or ()]
    if not arns:
        return None
    if stack.monitor_until_ms is None:
        minutes = int(stack.rollback.get("MonitoringTimeInMinutes") or 0)
        stack.monitor_until_ms = journal.now_ms() + minutes * 60_000
        await journal.stack(stack)
    while True:
        try:
            problem = await provisioner.run(lambda: _problem(arns, provisioner.calls(stack)))
        except ResourceFailed as error:
            problem = f"Rollback triggers could not be read: {error}"
        if problem is not None:
            return problem
        if stack.stop:
            return stack.stop
        if journal.now_ms() >= stack.monitor_until_ms:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_S):
                await stopped.wait()


def _problem(arns: list[str], calls: Calls) -> str | None:
    names = {arn: arn.partition(":alarm:")[2] for arn in arns}
    found = calls.call("cloudwatch", "DescribeAlarms", {"AlarmNames": list(names.values())})
    states = {each["AlarmName"]: each["StateValue"] for each in found.get("MetricAlarms") or ()}
    missing = [arn for arn, name in names.items() if name not in states]
    if missing:
        return f"Rollback triggers do not exist: [{', '.join(missing)}]"
    breached = [arn for arn, name in names.items() if states[name] == "ALARM"]
    return f"Rollback triggers breached: [{', '.join(breached)}]" if breached else None
