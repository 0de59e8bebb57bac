"""`/_lambdad/events` and `/_lambdad/sources`: what goes to functions, and where it comes from.

GET events?after=&limit=&source=&function=&failed=&wait=   what happened last, or is to happen
GET sources                                                every event source mapping, with its lag
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from lambdad.domain.event_source_mappings import (
    EVENT_SOURCE_MAPPING_KIND,
    EventSourceMapping,
    from_resource,
)
from lambdad.observability.activity import KEPT, WELL, Activity, Happening
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.storage.base import ResourceStore

# Less than what a daemon waits for when it ends.
WAIT_MAX_S = 10
_LAG_S = 5.0

Query = Mapping[str, str]


class QueueDepth(Protocol):
    """Asks a queue how much is in it."""

    def __call__(self, mapping: EventSourceMapping) -> Awaitable[int | None]:
        """Return how many messages wait; None when the source is none or does not say."""
        ...


class ActivityPages:
    """Answers the operator's requests; all accounts are the operator's."""

    def __init__(self, activity: Activity, resources: ResourceStore, depth: QueueDepth) -> None:
        self._activity = activity
        self._resources = resources
        self._depth = depth

    async def handle(self, request: HttpRequest, page: str) -> HttpResponse:
        """Answer a request for `events` or `sources`."""
        if request.method not in ("GET", "HEAD"):
            return _answer(405, {"message": "Only GET is served here."})
        if page == "sources":
            return _answer(200, {"sources": await self._sources()})
        query = dict(parse_qsl(request.query))
        try:
            return _answer(200, await self._events(query))
        except ValueError as error:
            return _answer(400, {"message": f"after, limit and wait are numbers: {error}"})

    async def _events(self, query: Query) -> Mapping[str, Any]:
        after, limit = int(query.get("after", "0")), int(query.get("limit", str(KEPT)))
        wait_s = min(float(query.get("wait", "0")), WAIT_MAX_S)
        wanted = _filter(query)
        if after > self._activity.last:
            # The daemon was started anew meanwhile.
            after = 0
        if wait_s > 0:
            await self._activity.wait(after, wait_s)
        last = self._activity.last
        found = [noted.document() for noted in self._activity.since(after, wanted)]
        return {"events": found[-limit:] if limit else [], "next": last}

    async def _sources(self) -> list[Mapping[str, Any]]:
        mappings = [from_resource(each) for each in self._resources.all(EVENT_SOURCE_MAPPING_KIND)]
        depths = await asyncio.gather(*map(self._waiting, mappings))
        return [
            self._described(mapping, depth) for mapping, depth in zip(mappings, depths, strict=True)
        ]

    async def _waiting(self, mapping: EventSourceMapping) -> int | None:
        try:
            async with asyncio.timeout(_LAG_S):
                return await self._depth(mapping)
        except TimeoutError:
            return None

    def _described(self, mapping: EventSourceMapping, depth: int | None) -> Mapping[str, Any]:
        latest = self._activity.latest(mapping.uuid)
        return {
            "uuid": mapping.uuid,
            "kind": mapping.kind.value,
            "arn": mapping.settings.get("EventSourceArn", ""),
            "function": mapping.function_arn,
            "state": mapping.state.value,
            "waiting": depth,
            "last": None if latest is None else latest.document(),
            "result": mapping.last_processing_result,
        }


def _filter(query: Query) -> Callable[[Happening], bool]:
    source, function, failed = query.get("source"), query.get("function"), query.get("failed")

    def wanted(happening: Happening) -> bool:
        if failed is not None and happening.result in WELL:
            return False
        if source is not None and source not in (happening.source, happening.arn):
            return False
        if function is None:
            return True
        _, _, name = happening.function.partition(":function:")
        return function in (happening.function, name, name.partition(":")[0])

    return wanted


def _answer(status: int, document: Mapping[str, Any]) -> HttpResponse:
    body = json.dumps(document, indent=2).encode() + b"\n"
    return HttpResponse(status=status, headers={"Content-Type": "application/json"}, body=body)
