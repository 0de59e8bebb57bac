from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambdad.authz.policy_documents import Grant
from lambdad.controlplane.functions import Functions
from lambdad.controlplane.references import Target
from lambdad.neighbours.pushing import EventSource, FunctionTargets, PushRefused
from lambdad.storage.base import InsertFunction
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import FakeRuntimes, MemoryPackages, RecordingObserver
from lambdad.testing.functions import FUNCTION_KEY, a_function

ARN = FUNCTION_KEY.arn()
TOPIC = EventSource(
    service="sns.amazonaws.com",
    arn="arn:aws:sns:us-east-1:000000000000:t",
    account_id="000000000000",
)


class Queue:
    """Remembers what was accepted."""

    def __init__(self) -> None:
        self.accepted: list[tuple[Any, ...]] = []

    async def accept(self, key: Any, qualifier: str | None, *, payload: bytes, **_: Any) -> str:
        self.accepted.append((key, qualifier, payload))
        return ""


@pytest.fixture
async def functions(tmp_path: Any) -> AsyncIterator[Functions]:
    store = engine("memory")(tmp_path, FakeClock())
    await store.open()
    await store.apply(InsertFunction(function=a_function()))
    async with Functions(
        engine=store,
        packages=MemoryPackages(),
        runtimes=FakeRuntimes(),
        clock=FakeClock(),
        observer=RecordingObserver(),
    ) as functions:
        yield functions


async def allow(functions: Functions, source_arn: str) -> None:
    grant = Grant(
        statement_id="s",
        action="lambda:InvokeFunction",
        principal="sns.amazonaws.com",
        source_arn=source_arn,
    )
    await functions.permissions.add(
        Target(key=FUNCTION_KEY, qualifier=None), grant, revision_id=None
    )


async def test_a_source_that_the_policy_names_may_push(functions: Functions) -> None:
    queue = Queue()
    await allow(functions, TOPIC.arn)
    await FunctionTargets(functions, queue).push(ARN, b"{}", TOPIC)
    assert queue.accepted == [(FUNCTION_KEY, None, b"{}")]


async def test_another_source_of_the_same_service_may_not(functions: Functions) -> None:
    queue = Queue()
    await allow(functions, TOPIC.arn + "-other")
    with pytest.raises(PushRefused) as refused:
        await FunctionTargets(functions, queue).push(ARN, b"{}", TOPIC)
    assert refused.value.code == "NO_PERMISSIONS"
    assert not queue.accepted


async def test_a_role_needs_no_policy(functions: Functions) -> None:
    queue = Queue()
    await FunctionTargets(functions, queue).push(ARN, b"{}", None)
    assert len(queue.accepted) == 1


@pytest.mark.parametrize("arn", [ARN + "-gone", ARN + ":7", ARN + ":no-alias", "arn:aws:sqs:x"])
async def test_what_is_not_there_gets_nothing(functions: Functions, arn: str) -> None:
    with pytest.raises(PushRefused) as refused:
        FunctionTargets(functions, Queue()).check(arn, TOPIC)
    assert refused.value.code == "RESOURCE_NOT_FOUND"


async def test_what_lambda_does_not_take_is_refused_for_good(functions: Functions) -> None:
    with pytest.raises(PushRefused) as refused:
        await FunctionTargets(functions, Queue()).push(ARN, bytes(1024 * 1024 + 1), None)
    assert refused.value.code == "EVENT_TOO_LARGE"
