"""Functions on the real engine and package store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange
from lambdad.controlplane.functions import CodeUpdate, Functions, NewFunction
from lambdad.controlplane.references import Target
from lambdad.domain.errors import ServiceException
from lambdad.domain.functions import State
from lambdad.storage.packages import FilePackageStore
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import FakeRuntimes, GatedPreparer, RecordingObserver, a_zip
from lambdad.testing.functions import FUNCTION_KEY

TARGET = Target(key=FUNCTION_KEY, qualifier=None)


def a_new_function(package: bytes) -> NewFunction:
    return NewFunction(
        configuration=ConfigurationChange(
            role="r",
            runtime="python3.12",
            handler="app.handler",
            environment={"KEY": "välue"},
            echoed={"KMSKeyArn": "k"},
        ),
        source=CodeSource(zip_file=package),
        tags={"a": "b"},
    )


@asynccontextmanager
async def opened(data_dir: Path, **options: Any) -> AsyncIterator[Functions]:
    storage = engine("sqlite")(data_dir, FakeClock())
    await storage.open()
    try:
        async with Functions(
            engine=storage,
            packages=FilePackageStore(data_dir / "code"),
            runtimes=FakeRuntimes(),
            clock=FakeClock(),
            observer=RecordingObserver(),
            **options,
        ) as functions:
            yield functions
    finally:
        await storage.close()


async def test_what_a_stopped_server_left_pending_is_active_after_the_next_start(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, preparer=GatedPreparer()) as functions:
        created = await functions.create(TARGET, a_new_function(a_zip()))
        assert (await functions.get(TARGET)).status.state is State.PENDING
    async with opened(tmp_path) as functions:
        seen = await functions.get(TARGET)
        assert seen.status.state is State.ACTIVE
        assert (seen.environment, seen.echoed, seen.tags) == (
            created.environment,
            created.echoed,
            created.tags,
        )


async def test_code_that_is_replaced_is_collected_and_code_in_use_stays(tmp_path: Path) -> None:
    packages = FilePackageStore(tmp_path / "code")
    async with opened(tmp_path) as functions:
        old = await functions.create(TARGET, a_new_function(a_zip({"a.py": ""})))
        new = await functions.update_code(
            TARGET, CodeUpdate(source=CodeSource(zip_file=a_zip({"b.py": ""})))
        )
        await functions.get(TARGET)  # until then the old code is in service
        await functions.collect_packages()
        assert functions.used_packages() == {new.code.digest}
    assert packages.archive(new.code.digest).read_bytes() == a_zip({"b.py": ""})
    assert not packages.archive(old.code.digest).exists()


@pytest.mark.parametrize("package", [b"no zip", a_zip()[:-30], b"PK\x05\x06"])
async def test_a_damaged_package_is_refused_and_leaves_nothing(
    tmp_path: Path, package: bytes
) -> None:
    async with opened(tmp_path) as functions:
        with pytest.raises(ServiceException) as caught:
            await functions.create(TARGET, a_new_function(package))
        assert (caught.value.code, caught.value.message) == (
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        )
        assert functions.used_packages() == frozenset()
        assert [path for path in (tmp_path / "code").rglob("*") if path.is_file()] == []
