"""Resource policies on the in-memory store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambdad.authz.policies import ANONYMOUS, Decision, Principal, account_root, statements_of
from lambdad.authz.policy_documents import Grant, text_of
from lambdad.controlplane.functions import Functions
from lambdad.controlplane.permissions import Permissions
from lambdad.controlplane.ports import VersionObserver, VersionPreparer
from lambdad.controlplane.references import Target
from lambdad.domain.errors import AccessDeniedException, ResourceNotFoundException
from lambdad.domain.functions import Function, State, Status
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import (
    FakeRuntimes,
    GatedPreparer,
    MemoryPackages,
    RecordingObserver,
)
from lambdad.testing.functions import FUNCTION_KEY, a_function

TARGET = Target(key=FUNCTION_KEY, qualifier=None)
SOURCE = "arn:aws:s3:::pictures"
S3 = Principal(service="s3.amazonaws.com")


def a_grant(**members: Any) -> Grant:
    values = {
        "statement_id": "s",
        "action": "lambda:InvokeFunction",
        "principal": "s3.amazonaws.com",
        **members,
    }
    return Grant(**values)


class Listener(RecordingObserver):
    """An observer that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    def version_changed(self, function: Function) -> None:
        super().version_changed(function)
        self.told.set()


@asynccontextmanager
async def plane(
    store: Engine,
    preparer: VersionPreparer | None = None,
    observer: VersionObserver | None = None,
    clock: FakeClock | None = None,
) -> AsyncIterator[Functions]:
    async with Functions(
        engine=store,
        packages=MemoryPackages(),
        runtimes=FakeRuntimes(),
        clock=clock or FakeClock(),
        observer=observer or RecordingObserver(),
        preparer=preparer,
    ) as functions:
        yield functions


@pytest.fixture
async def store() -> Engine:
    """An engine with the function `f`."""
    store = engine("memory")(Path("/nowhere"), FakeClock())
    await store.functions.insert(a_function())
    return store


@pytest.fixture
async def permissions(store: Engine) -> AsyncIterator[Permissions]:
    async with plane(store) as functions:
        yield functions.permissions


async def test_a_grant_during_creation_leaves_the_revision_to_the_end_of_the_creation() -> None:
    """The end looks for the revision that the creation began with."""
    store = engine("memory")(Path("/nowhere"), FakeClock())
    await store.functions.insert(a_function(status=Status(state=State.PENDING)))
    preparer = GatedPreparer()
    observer = Listener()
    async with plane(store, preparer, observer) as functions:
        await functions.permissions.add(TARGET, a_grant(), revision_id="r1")
        assert (await functions.permissions.get(TARGET)).revision_id == "r1"
        preparer.gate.set()
        await observer.told.wait()
        ended = functions.find(TARGET)
        assert ended.status.state is State.ACTIVE
        assert (await functions.permissions.get(TARGET)).revision_id == ended.revision_id != "r1"


async def test_of_concurrent_grants_none_is_lost(permissions: Permissions) -> None:
    grants = [a_grant(statement_id=f"s{number}") for number in range(50)]
    await asyncio.gather(*(permissions.add(TARGET, grant, revision_id=None) for grant in grants))
    statements = statements_of((await permissions.get(TARGET)).document)
    assert [statement["Sid"] for statement in statements] == [f"s{n}" for n in range(50)]


async def test_of_concurrent_grants_on_one_revision_one_wins(permissions: Permissions) -> None:
    grants = [a_grant(statement_id=f"s{number}") for number in range(20)]
    outcomes = await asyncio.gather(
        *(permissions.add(TARGET, grant, revision_id="r1") for grant in grants),
        return_exceptions=True,
    )
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert len(statements_of((await permissions.get(TARGET)).document)) == 1


async def test_a_grant_whose_caller_goes_away_is_kept_whole(
    store: Engine, permissions: Permissions
) -> None:
    call = asyncio.create_task(permissions.add(TARGET, a_grant(), revision_id=None))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await permissions.add(TARGET, a_grant(statement_id="t"), revision_id=None)
    policy = await permissions.get(TARGET)
    function = store.functions.get(FUNCTION_KEY)
    assert function is not None
    assert policy.revision_id == function.revision_id
    sids = [statement["Sid"] for statement in statements_of(policy.document)]
    assert sids in (["s", "t"], ["t"])


@pytest.mark.parametrize(
    ("principal", "action", "context", "decision"),
    [
        (S3, "lambda:InvokeFunction", {"aws:SourceArn": SOURCE}, Decision.ALLOWED),
        (S3, "lambda:InvokeFunction", {"AWS:SOURCEARN": SOURCE}, Decision.ALLOWED),
        (S3, "lambda:InvokeFunction", {"aws:SourceArn": f"{SOURCE}-2"}, Decision.SILENT),
        (S3, "lambda:InvokeFunction", {}, Decision.SILENT),
        (S3, "lambda:GetFunction", {"aws:SourceArn": SOURCE}, Decision.SILENT),
        (
            Principal(service="sns.amazonaws.com"),
            "lambda:InvokeFunction",
            {"aws:SourceArn": SOURCE},
            Decision.SILENT,
        ),
        (
            ANONYMOUS,
            "lambda:InvokeFunctionUrl",
            {"lambda:FunctionUrlAuthType": "NONE"},
            Decision.ALLOWED,
        ),
        (
            ANONYMOUS,
            "lambda:InvokeFunctionUrl",
            {"lambda:FunctionUrlAuthType": "AWS_IAM"},
            Decision.SILENT,
        ),
        (
            ANONYMOUS,
            "lambda:InvokeFunction",
            {"lambda:InvokedViaFunctionUrl": "true"},
            Decision.ALLOWED,
        ),
        (ANONYMOUS, "lambda:InvokeFunction", {}, Decision.SILENT),
    ],
)
async def test_services_and_function_urls_are_let_in_by_what_was_granted(
    permissions: Permissions,
    principal: Principal,
    action: str,
    context: dict[str, str],
    decision: Decision,
) -> None:
    grants = [
        a_grant(source_arn=SOURCE),
        a_grant(
            statement_id="url",
            action="lambda:InvokeFunctionUrl",
            principal="*",
            url_auth_type="NONE",
        ),
        a_grant(statement_id="via", principal="*", via_function_url=True),
    ]
    for grant in grants:
        await permissions.add(TARGET, grant, revision_id=None)
    assert permissions.decide(TARGET, principal, action, context) is decision


@pytest.mark.parametrize(
    ("condition", "decision"),
    [
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, Decision.ALLOWED),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, Decision.SILENT),
        ({"NumericGreaterThan": {"aws:EpochTime": 1_577_836_800}}, Decision.ALLOWED),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, Decision.ALLOWED),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, Decision.SILENT),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, Decision.SILENT),
    ],
)
async def test_conditions_on_time_and_region_are_known_of_every_request(
    permissions: Permissions, condition: dict[str, Any], decision: Decision
) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "222222222222"},
        "Action": "lambda:*",
        "Resource": FUNCTION_KEY.arn(),
        "Condition": condition,
    }
    await permissions.put(TARGET, text_of({"Statement": [statement]}), revision_id=None)
    found = permissions.decide(TARGET, account_root("222222222222"), "lambda:GetFunction")
    assert found is decision


async def test_nobody_else_is_told_whether_a_function_exists(permissions: Permissions) -> None:
    for key in (FUNCTION_KEY, replace(FUNCTION_KEY, name="absent")):
        with pytest.raises(AccessDeniedException):
            permissions.require(
                Target(key=key, qualifier=None), account_root("222222222222"), "GetFunction"
            )


async def test_the_owner_needs_no_policy(permissions: Permissions) -> None:
    permissions.require(TARGET, account_root(FUNCTION_KEY.account_id), "InvokeFunction")
    await permissions.add(TARGET, a_grant(), revision_id=None)
    permissions.require(TARGET, account_root(FUNCTION_KEY.account_id), "InvokeFunction")


async def test_another_region_has_other_policies(store: Engine, permissions: Permissions) -> None:
    there = Target(key=replace(FUNCTION_KEY, region="eu-west-1"), qualifier=None)
    await store.functions.insert(a_function(key=there.key))
    await permissions.add(TARGET, a_grant(), revision_id=None)
    with pytest.raises(ResourceNotFoundException):
        await permissions.get(there)


async def test_a_question_that_was_answered_gets_another_answer_once_a_policy_changes(
    permissions: Permissions,
) -> None:
    await permissions.add(TARGET, a_grant(source_arn=SOURCE), revision_id=None)
    context = {"aws:SourceArn": SOURCE}

    def asked() -> Decision:
        return permissions.decide(TARGET, S3, "lambda:InvokeFunction", context)

    assert [asked(), asked()] == [Decision.ALLOWED] * 2
    other = {"aws:SourceArn": f"{SOURCE}-of-others"}
    assert permissions.decide(TARGET, S3, "lambda:InvokeFunction", other) is Decision.SILENT
    await permissions.remove(TARGET, "s", revision_id=None)
    assert [asked(), asked()] == [Decision.SILENT] * 2
    await permissions.add(TARGET, a_grant(statement_id="t"), revision_id=None)
    assert asked() is Decision.ALLOWED


async def test_what_depends_on_the_time_is_asked_each_time(store: Engine) -> None:
    clock = FakeClock()
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_KEY.arn(),
        "Condition": {"NumericLessThan": {"AWS:epochTime": str(int(clock.time()) + 60)}},
    }
    async with plane(store, clock=clock) as functions:
        permissions = functions.permissions
        await permissions.put(TARGET, text_of({"Statement": [statement]}), revision_id=None)
        assert permissions.decide(TARGET, S3, "lambda:InvokeFunction") is Decision.ALLOWED
        clock.advance(61)
        assert permissions.decide(TARGET, S3, "lambda:InvokeFunction") is Decision.SILENT
