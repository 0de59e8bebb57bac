"""What a mapping's `LastProcessingResult` is, written only when it changes."""

from __future__ import annotations

import logging

from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.base import Results

_LOGGER = logging.getLogger(__name__)


class Shown:
    """Of one mapping. Mutable: what was shown last."""

    def __init__(self, results: Results, mapping: EventSourceMapping) -> None:
        self._results = results
        self._mapping = mapping
        self._text = mapping.last_processing_result

    async def show(self, text: str | None) -> None:
        """Show what the last attempt came to; None when there is nothing to say."""
        if text == self._text:
            return
        self._text = text
        if text is not None and text.startswith("PROBLEM"):
            settings = self._mapping.settings
            source = settings.get("EventSourceArn") or settings.get("Topics")
            _LOGGER.warning("mapping %s of %s: %s", self._mapping.uuid, source, text)
        await self._results.note_result(self._mapping, text)
