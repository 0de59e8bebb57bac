"""Versions that wait for their snapshot, on the in-memory store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange, is_unfinished
from lambdad.controlplane.functions import Functions, NewFunction
from lambdad.controlplane.references import Target
from lambdad.controlplane.versions import Publication
from lambdad.domain import snapstart
from lambdad.domain.arns import LATEST
from lambdad.domain.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    SnapStartNotReadyException,
    VersionFailed,
)
from lambdad.domain.functions import Function, State
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import (
    FakeRuntimes,
    GatedPreparer,
    MemoryPackages,
    RecordingObserver,
    a_zip,
)
from lambdad.testing.functions import FUNCTION_KEY, a_function

TARGET = Target(key=FUNCTION_KEY, qualifier=None)
FIRST = Target(key=FUNCTION_KEY, qualifier="1")
WANTED = {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}


class Snapshots(GatedPreparer):
    """Prepares published versions alone."""

    def concerns(self, function: Function) -> bool:
        return snapstart.applies(function)


class Listener(RecordingObserver):
    """Lets a test wait for the next end of a transition of a version."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: asyncio.Queue[Function] = asyncio.Queue()

    def version_changed(self, function: Function) -> None:
        super().version_changed(function)
        if function.version != LATEST and not is_unfinished(function):
            self.ended.put_nowait(function)


@asynccontextmanager
async def plane(
    preparer: Snapshots, observer: Listener, storage: Engine | None = None
) -> AsyncIterator[Functions]:
    async with Functions(
        engine=storage or engine("memory")(Path(), FakeClock()),
        packages=MemoryPackages(),
        runtimes=FakeRuntimes(),
        clock=FakeClock(),
        observer=observer,
        preparer=preparer,
    ) as functions:
        yield functions


async def create(functions: Functions, *, publish: bool = False) -> Function:
    change = ConfigurationChange(
        role="r", runtime="python3.12", handler="app.handler", echoed={"SnapStart": WANTED}
    )
    source = CodeSource(zip_file=a_zip())
    new = NewFunction(configuration=change, source=source, publish=publish)
    return await functions.create(TARGET, new)


async def test_a_published_version_is_pending_until_its_snapshot_is_there() -> None:
    preparer, observer = Snapshots(), Listener()
    preparer.prepared = {"SnapStart": snapstart.member(on=True)}
    async with plane(preparer, observer) as functions:
        await create(functions)
        version = await functions.versions.publish(TARGET, Publication())
        assert (version.status.state, version.status.state_reason_code) == (
            State.PENDING,
            "Creating",
        )
        assert not snapstart.optimised(version)
        with pytest.raises(SnapStartNotReadyException, match="function state becomes ACTIVE"):
            await functions.runnable(FIRST)
        preparer.gate.set()
        ended = await observer.ended.get()
        assert (ended.status.state, snapstart.optimised(ended)) == (State.ACTIVE, True)
        assert await functions.runnable(FIRST) == ended
        # What has not changed is not published again, though the version says On.
        assert (await functions.versions.publish(TARGET, Publication())).version == "1"
        assert not snapstart.optimised(functions.find(TARGET))


async def test_a_version_without_a_snapshot_is_active_and_off() -> None:
    preparer, observer = Snapshots(), Listener()
    preparer.gate.set()
    async with plane(preparer, observer) as functions:
        await create(functions, publish=True)
        ended = await observer.ended.get()
        assert ended.status.state is State.ACTIVE
        assert ended.echoed["SnapStart"] == WANTED


async def test_a_version_whose_init_fails_is_failed_and_its_successor_is_new() -> None:
    preparer, observer = Snapshots(), Listener()
    preparer.failure = VersionFailed("An error occurred.", "FunctionError")
    preparer.gate.set()
    async with plane(preparer, observer) as functions:
        await create(functions, publish=True)
        status = (await observer.ended.get()).status
        assert status.state is State.FAILED
        assert (status.state_reason, status.state_reason_code) == (
            "An error occurred.",
            "FunctionError",
        )
        with pytest.raises(ResourceConflictException, match="state: Failed"):
            await functions.runnable(FIRST)
        assert (await functions.versions.publish(TARGET, Publication())).version == "2"
        await observer.ended.get()


async def test_a_snapshot_that_was_being_made_is_made_after_a_restart() -> None:
    storage = engine("memory")(Path(), FakeClock())
    async with plane(Snapshots(), Listener(), storage) as functions:
        await create(functions, publish=True)
    preparer, observer = Snapshots(), Listener()
    preparer.gate.set()
    async with plane(preparer, observer, storage):
        assert (await observer.ended.get()).status.state is State.ACTIVE


@pytest.mark.parametrize(
    ("runtime", "supported"),
    [
        ("python3.12", True),
        ("python3.14", True),
        ("java11", True),
        ("java17.al2023", True),
        ("dotnet10", True),
        ("python3.11", False),
        ("java8.al2", False),
        ("dotnet6", False),
        ("nodejs22.x", False),
        ("provided.al2023", False),
    ],
)
def test_the_runtimes_that_aws_supports_are_accepted(runtime: str, supported: bool) -> None:
    function = a_function(runtime=runtime, echoed={"SnapStart": WANTED})
    if supported:
        snapstart.check(function)
    else:
        with pytest.raises(InvalidParameterValueException) as refused:
            snapstart.check(function)
        assert str(refused.value) == (
            f"{runtime} is not supported for SnapStart enabled functions."
        )
    snapstart.check(replace(function, echoed={}))


def test_what_is_provisioned_is_not_restored() -> None:
    version = a_function(version="1", echoed={"SnapStart": WANTED})
    with pytest.raises(InvalidParameterValueException, match="Provisioned Concurrency is not"):
        snapstart.refuse(version, "Provisioned Concurrency")
    snapstart.refuse(replace(version, echoed={}), "Provisioned Concurrency")
