"""Stands for a poller that cannot be made here, and says why."""

from __future__ import annotations

import asyncio

from lambdad.event_source_mappings.base import Problem
from lambdad.event_source_mappings.shard_state import Tools


class UnablePoller:
    """See `base.Poller`."""

    def __init__(self, tools: Tools, text: str) -> None:
        """`text` says what is missing, and what to do about it."""
        self._tools = tools
        self._text = text

    def stop(self) -> None:
        """See `base.Poller`."""
        self._tools.stopping.stop()

    async def run(self) -> None:
        """See `base.Poller`."""
        await self._tools.results.show(str(Problem(self._text)))
        await self._tools.stopping.unless_stopped(_forever())


async def _forever() -> None:
    await asyncio.Event().wait()
