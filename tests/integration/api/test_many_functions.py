"""What a call costs does not grow with what is deployed: lines of Python run, and no clock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import pytest
from tests.integration.api.conftest import Endpoint

from lambdad.domain.aliases import Alias, to_resource
from lambdad.domain.arns import FunctionKey
from lambdad.storage.base import Change, InsertFunction, PutResource
from lambdad.testing.functions import a_function

FEW, MANY = 10, 1_000
VERSIONS = ("$LATEST", "1", "2")
QUESTIONS: dict[str, dict[str, Any]] = {
    "get_function": {"FunctionName": "f0007"},
    "get_function by alias": {"FunctionName": "f0007", "Qualifier": "live"},
    "list_functions": {"MaxItems": 5},
    "list_aliases": {"FunctionName": "f0007"},
    "list_versions_by_function": {"FunctionName": "f0007"},
    "invoke": {"FunctionName": "f0007", "Payload": b"{}"},
    "invoke by alias": {"FunctionName": "f0007", "Qualifier": "live", "Payload": b"{}"},
}


async def deploy(endpoint: Endpoint, begin: int, end: int) -> None:
    changes: list[Change] = []
    for number in range(begin, end):
        key = FunctionKey(account_id="000000000000", region="us-east-1", name=f"f{number:04}")
        alias = Alias(function=key, name="live", version="2")
        changes += [InsertFunction(function=a_function(key=key, version=v)) for v in VERSIONS]
        changes.append(PutResource(resource=to_resource(alias)))
    await endpoint.storage.apply(*changes)


async def lines_of(question: Callable[[], Awaitable[object]]) -> int:
    """Count the lines that this thread runs for a question; its client has a thread of its own."""
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        # The loop's own turns depend on when the client's thread is done.
        if "/lambdad/" not in frame.f_code.co_filename:
            return None
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        await question()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_call_costs_the_same_however_many_functions_there_are(
    endpoint: Endpoint, question: str
) -> None:
    client = endpoint.client()
    operation = question.partition(" ")[0]

    async def ask() -> None:
        await getattr(client, operation)(**QUESTIONS[question])

    await deploy(endpoint, 0, FEW)
    for _ in range(2):  # what is looked up once is known then
        await ask()
    few = await lines_of(ask)
    await deploy(endpoint, FEW, MANY)
    await ask()
    many = await lines_of(ask)
    assert few > 50
    assert many < few * 1.2


async def test_the_count_sees_who_looks_at_all_functions(endpoint: Endpoint) -> None:
    async def look_at_all() -> None:
        await asyncio.sleep(0)
        list(endpoint.storage.functions.list("000000000000", "us-east-1", after=None, limit=MANY))

    await deploy(endpoint, 0, FEW)
    few = await lines_of(look_at_all)
    await deploy(endpoint, FEW, MANY)
    assert await lines_of(look_at_all) > 10 * few
