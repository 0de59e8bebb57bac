"""`/_lambdad/runtimes`: which runtime identifiers this host serves, and what serves them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Protocol

from lambdad.protocol.http import HttpResponse
from lambdad.runtimes.base import RuntimeReport


class Reporter(Protocol):
    """What knows the runtimes."""

    def report(self) -> Sequence[RuntimeReport]:
        """One line per identifier; the first time it looks for installations."""
        ...


class RuntimePage:
    """Answers the operator's question. `prewarms` says whether anything is started ahead here."""

    def __init__(self, catalogue: Reporter, prewarms: Callable[[], bool]) -> None:
        self._catalogue = catalogue
        self._prewarms = prewarms

    async def handle(self) -> HttpResponse:
        """Return every identifier that lambdad knows, as JSON."""
        reports = await asyncio.to_thread(self._catalogue.report)
        lines = [dataclasses.asdict(report) for report in reports]
        if not self._prewarms():
            lines = [{**line, "prewarmed": False} for line in lines]
        document = {"runtimes": lines}
        body = json.dumps(document, indent=2).encode() + b"\n"
        return HttpResponse(status=200, headers={"Content-Type": "application/json"}, body=body)
