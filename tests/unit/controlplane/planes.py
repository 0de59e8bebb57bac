"""A control plane in memory, and what it says to who comes at a bad time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange
from lambdad.controlplane.functions import Functions, NewFunction
from lambdad.controlplane.ports import ObjectSource, VersionPreparer
from lambdad.controlplane.references import Target
from lambdad.domain.errors import ServiceException
from lambdad.storage.base import Change, Engine, FunctionStore
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import (
    FakeRuntimes,
    MemoryPackages,
    RecordingObserver,
    a_zip,
)
from lambdad.testing.functions import FUNCTION_KEY

TARGET = Target(key=FUNCTION_KEY, qualifier=None)


BUSY = (
    "ResourceConflictException",
    (
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"{FUNCTION_KEY.arn()}"
    ),
)


STALE = (
    "PreconditionFailedException",
    (
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetFunction/GetAlias API to retrieve the latest Revision Id"
    ),
)


NOT_FOUND = ("ResourceNotFoundException", f"Function not found: {FUNCTION_KEY.arn()}")


def new_function(**members: object) -> NewFunction:
    settings = {"role": "r", "runtime": "python3.12", "handler": "app.handler", **members}
    return NewFunction(
        configuration=ConfigurationChange(**settings),  # type: ignore[arg-type]
        source=CodeSource(zip_file=a_zip()),
    )


@dataclass
class Plane:
    functions: Functions
    store: FunctionStore
    packages: MemoryPackages = field(default_factory=MemoryPackages)
    observer: RecordingObserver = field(default_factory=RecordingObserver)


def memory_engine() -> Engine:
    return engine("memory")(Path("/nowhere"), FakeClock())


@asynccontextmanager
async def plane(
    *,
    storage: Engine | None = None,
    preparer: VersionPreparer | None = None,
    objects: ObjectSource | None = None,
) -> AsyncIterator[Plane]:
    storage = storage or memory_engine()
    packages, observer = MemoryPackages(), RecordingObserver()
    async with Functions(
        engine=storage,
        packages=packages,
        runtimes=FakeRuntimes(),
        clock=FakeClock(),
        observer=observer,
        objects=objects,
        preparer=preparer,
    ) as functions:
        yield Plane(functions, storage.functions, packages, observer)


@asynccontextmanager
async def refused() -> AsyncIterator[list[tuple[str, str]]]:
    found: list[tuple[str, str]] = []
    with pytest.raises(ServiceException) as caught:
        yield found
    found.append((caught.value.code, caught.value.message))


class SlowDisk:
    """A store whose row is there, but whose insertion is answered only when it is durable."""

    def __init__(self) -> None:
        self.storage = memory_engine()
        self.written, self.durable = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def apply(self, *changes: Change) -> None:
        await self.storage.apply(*changes)
        self.written.set()
        await self.durable.wait()
