"""Publishing, listing and deleting versions on the in-memory store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lambdad.controlplane.aliases import AliasChange
from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange, is_unfinished
from lambdad.controlplane.functions import CodeUpdate, Functions, NewFunction
from lambdad.controlplane.ports import VersionPreparer
from lambdad.controlplane.references import Target
from lambdad.controlplane.versions import Publication
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.errors import PlatformError, ServiceException
from lambdad.domain.functions import Function, State, UpdateStatus
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
from lambdad.testing.functions import FUNCTION_KEY

TARGET = Target(key=FUNCTION_KEY, qualifier=None)


class Listener(RecordingObserver):
    """Remembers what it is told, and lets a test wait for the next end of an update."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: asyncio.Queue[Function] = asyncio.Queue()

    def version_changed(self, function: Function) -> None:
        super().version_changed(function)
        if not is_unfinished(function):
            self.ended.put_nowait(function)


@dataclass
class Plane:
    functions: Functions
    storage: Engine
    observer: Listener

    async def create(self, *, publish: bool = False, key: FunctionKey = FUNCTION_KEY) -> None:
        change = ConfigurationChange(role="r", runtime="python3.12", handler="app.handler")
        target = Target(key=key, qualifier=None)
        new = NewFunction(
            configuration=change, source=CodeSource(zip_file=a_zip()), publish=publish
        )
        await self.functions.create(target, new)

    async def change(self, memory_mb: int) -> None:
        change = ConfigurationChange(memory_mb=memory_mb)
        await self.functions.update_configuration(TARGET, change, revision_id=None)

    async def publish(self, **members: str) -> str:
        published = await self.functions.versions.publish(TARGET, Publication(**members))
        return published.version

    def versions(self) -> list[str]:
        return [v.version for v in self.storage.functions.versions(FUNCTION_KEY)]


@asynccontextmanager
async def plane(
    storage: Engine | None = None,
    *,
    preparer: VersionPreparer | None = None,
    transition_s: float = 0.0,
) -> AsyncIterator[Plane]:
    storage = storage or engine("memory")(Path("/nowhere"), FakeClock())
    observer = Listener()
    async with Functions(
        engine=storage,
        packages=MemoryPackages(),
        runtimes=FakeRuntimes(),
        clock=FakeClock(),
        observer=observer,
        preparer=preparer,
        transition_s=transition_s,
    ) as functions:
        yield Plane(functions, storage, observer)


def at(qualifier: str) -> Target:
    return Target(key=FUNCTION_KEY, qualifier=qualifier)


async def refusal_of(call: object) -> tuple[str, str]:
    with pytest.raises(ServiceException) as refused:
        await call  # type: ignore[misc]
    return refused.value.code, refused.value.message


async def test_a_version_is_latest_as_it_was_and_in_service_at_once() -> None:
    async with plane() as p:
        await p.create()
        version = await p.functions.versions.publish(TARGET, Publication(description="first"))
        latest = await p.functions.get(TARGET)
        assert (version.version, version.description) == ("1", "first")
        assert version.code == latest.code
        assert version.status.state is State.ACTIVE
        assert version.status.last_update is UpdateStatus.SUCCESSFUL
        assert version.revision_id != latest.revision_id
        assert version.last_modified == latest.last_modified
        await p.change(512)
        assert (await p.functions.get(at("1"))).memory_mb == version.memory_mb
        assert p.observer.changed[2] == version


async def test_publishing_what_has_not_changed_gives_the_last_version_again() -> None:
    async with plane() as p:
        await p.create()
        first = await p.functions.versions.publish(TARGET, Publication(description="a"))
        again = await p.functions.versions.publish(TARGET, Publication(description="b"))
        assert again == first
        await p.change(first.memory_mb)
        assert await p.publish() == "1", "an update that changes nothing is no change"
        await p.change(256)
        assert await p.publish() == "2"
        await p.change(first.memory_mb)
        assert await p.publish() == "3", "only the last version counts"


async def test_a_changed_description_of_the_function_is_a_change() -> None:
    async with plane() as p:
        await p.create()
        await p.publish()
        change = ConfigurationChange(description="new")
        await p.functions.update_configuration(TARGET, change, revision_id=None)
        published = await p.functions.versions.publish(TARGET, Publication())
        assert (published.version, published.description) == ("2", "new")


async def test_tags_are_no_part_of_a_version() -> None:
    async with plane() as p:
        await p.create()
        await p.publish()
        await p.functions.tag(TARGET, {"a": "b"})
        assert await p.publish() == "1"
        assert (await p.functions.get(at("1"))).tags == {}
        assert p.functions.tags(at("1")) == {"a": "b"}


async def test_a_number_is_never_given_again() -> None:
    async with plane() as p:
        await p.create()
        for memory_mb in (128, 256, 512):
            await p.change(memory_mb)
            await p.publish()
        await p.functions.delete(at("3"))
        assert await p.publish() == "4", "what was published last is gone"
        await p.functions.delete(TARGET)
        await p.create()
        assert await p.publish() == "5", "not even to a new function of the same name"


async def test_of_many_publications_at_once_one_makes_the_version() -> None:
    async with plane() as p:
        await p.create()
        assert set(await asyncio.gather(*(p.publish() for _ in range(8)))) == {"1"}
        assert p.versions() == [LATEST, "1"]


async def test_guards_hold() -> None:
    async with plane() as p:
        await p.create()
        latest = await p.functions.get(TARGET)
        assert await refusal_of(p.publish(code_sha256="other=")) == (
            "InvalidParameterValueException",
            (
                f"CodeSHA256 (other=) is different from current CodeSHA256 in $LATEST "
                f"({latest.code.sha256}). Please try again with the CodeSHA256 in $LATEST."
            ),
        )
        code, message = await refusal_of(p.publish(revision_id="stale"))
        assert code == "PreconditionFailedException"
        assert message.startswith("The Revision Id provided does not match")
        guards = {"code_sha256": latest.code.sha256, "revision_id": latest.revision_id}
        assert await p.publish(**guards) == "1"


async def test_what_is_being_made_or_updated_is_not_published() -> None:
    preparer = GatedPreparer()
    async with plane(preparer=preparer) as p:
        await p.create()
        code, message = await refusal_of(p.publish())
        assert (code, message.rpartition(": ")[2]) == ("ResourceConflictException", "Pending")
    preparer.gate.set()
    async with plane(transition_s=60.0) as p:
        await p.create()
        assert "Pending" in (await refusal_of(p.publish()))[1]


async def test_publishing_of_no_function_is_not_found() -> None:
    async with plane() as p:
        assert await refusal_of(p.publish()) == (
            "ResourceNotFoundException",
            f"Function not found: {FUNCTION_KEY.arn()}",
        )


async def test_a_function_can_be_published_when_it_is_created() -> None:
    async with plane() as p:
        await p.create(publish=True)
        assert p.versions() == [LATEST, "1"]
        assert (await p.functions.get(at("1"))).status.state is State.ACTIVE
        assert await p.publish() == "1"


async def test_new_code_can_be_published_with_its_update() -> None:
    async with plane() as p:
        await p.create(publish=True)
        source = CodeSource(zip_file=a_zip({"b.py": ""}))
        update = CodeUpdate(source=source, publish=True)
        version = await p.functions.update_code(TARGET, update)
        assert (version.version, version.in_service) == ("2", None)
        seen = await p.functions.get(at("2"))
        assert seen.status.last_update is UpdateStatus.SUCCESSFUL
        assert seen.code == (await p.functions.get(TARGET)).code
        again = await p.functions.update_code(TARGET, update)
        assert again.version == "2", "the code is the same"


async def test_versions_are_listed_by_number_behind_latest_page_by_page() -> None:
    async with plane() as p:
        await p.create()
        for number in range(11):
            await p.change(128 + number)
            await p.publish()
        found: list[str] = []
        after, more = None, True
        while more:
            page = p.functions.versions.list(TARGET, after=after, limit=5)
            found += [function.version for function in page.versions]
            after, more = found[-1], page.more
        assert found == [LATEST, *map(str, range(1, 12))]
        await p.functions.delete(at("5"))
        page = p.functions.versions.list(TARGET, after="5", limit=2)
        assert [function.version for function in page.versions] == ["6", "7"]


async def test_all_versions_of_all_functions_are_listed_page_by_page() -> None:
    async with plane() as p:
        expected = []
        for name in ("a", "b", "c"):
            key = FunctionKey(account_id="000000000000", region="us-east-1", name=name)
            await p.create(publish=name != "b", key=key)
            expected += [(name, LATEST)] + ([(name, "1")] if name != "b" else [])
        listing = p.functions.listing
        for size in (1, 2, 3, 50):
            found: list[tuple[str, str]] = []
            after, more = None, True
            while more:
                page = listing.versions("000000000000", "us-east-1", after=after, limit=size)
                found += [(f.key.name, f.version) for f in page.functions]
                assert len(page.functions) <= size
                after, more = found[-1], page.more
            assert found == expected
        assert listing.usage("000000000000", "us-east-1").functions == 3
        size = len(a_zip())
        assert listing.usage("000000000000", "us-east-1").code_bytes == 5 * size


async def test_a_deleted_version_is_gone_alone_and_with_what_belongs_to_it() -> None:
    async with plane() as p:
        await p.create(publish=True)
        await p.change(512)
        await p.publish()
        await p.functions.delete(at("1"))
        assert p.versions() == [LATEST, "2"]
        assert [function.version for function in p.observer.deleted] == ["1"]
        await p.functions.delete(at("1"))
        assert len(p.observer.deleted) == 1


async def test_a_version_that_an_alias_may_run_is_not_deleted() -> None:
    async with plane() as p:
        await p.create(publish=True)
        await p.change(512)
        await p.publish()
        for name, change in {
            "main": AliasChange(version="1"),
            "canary": AliasChange(version="1", weights={"2": 0.1}),
        }.items():
            await p.functions.aliases.create(TARGET, name, change)
        text = "Unable to delete version because the following aliases reference it: "
        assert await refusal_of(p.functions.delete(at("1"))) == (
            "ResourceConflictException",
            f"{text}[canary, main]",
        )
        assert (await refusal_of(p.functions.delete(at("2"))))[1] == f"{text}[canary]"
        await p.functions.aliases.delete(TARGET, "canary")
        await p.functions.delete(at("2"))


async def test_a_published_version_cannot_be_changed() -> None:
    async with plane() as p:
        await p.create(publish=True)
        call = p.functions.update_configuration(
            at("1"), ConfigurationChange(memory_mb=512), revision_id=None
        )
        assert (await refusal_of(call))[0] == "InvalidParameterValueException"


async def test_packages_of_versions_are_kept() -> None:
    async with plane() as p:
        await p.create(publish=True)
        old = (await p.functions.get(TARGET)).code.digest
        source = CodeSource(zip_file=a_zip({"b.py": ""}))
        new = await p.functions.update_code(TARGET, CodeUpdate(source=source))
        await p.functions.get(TARGET)
        assert p.functions.used_packages() == {old, new.code.digest}
        await p.functions.delete(at("1"))
        assert p.functions.used_packages() == {new.code.digest}


async def test_old_code_serves_until_its_update_is_done_and_across_a_restart() -> None:
    storage = engine("memory")(Path("/nowhere"), FakeClock())
    async with plane(storage) as p:
        await p.create()
        old = await p.functions.get(TARGET)
    async with plane(storage, preparer=GatedPreparer()) as p:
        await p.change(512)
        assert (await p.functions.get(TARGET)).status.last_update is UpdateStatus.IN_PROGRESS
        assert await p.functions.runnable(TARGET) == old
    preparer = GatedPreparer()
    async with plane(storage, preparer=preparer) as p:
        assert await p.functions.runnable(TARGET) == old
        preparer.gate.set()
        await p.observer.ended.get()
        served = await p.functions.runnable(TARGET)
        assert (served.memory_mb, served.in_service) == (512, None)


async def test_old_code_goes_on_to_serve_when_its_update_fails() -> None:
    storage = engine("memory")(Path("/nowhere"), FakeClock())
    async with plane(storage) as p:
        await p.create()
        old = await p.functions.get(TARGET)
    preparer = GatedPreparer()
    preparer.failure = PlatformError("no room")
    preparer.gate.set()
    async with plane(storage, preparer=preparer) as p:
        await p.change(512)
        await p.observer.ended.get()
    async with plane(storage) as p:
        failed = p.functions.find(TARGET)
        assert (failed.status.last_update, failed.memory_mb) == (UpdateStatus.FAILED, 512)
        assert failed.serving == old
        assert (await refusal_of(p.publish()))[1].endswith("failed: no room")
        await p.change(256)
        assert p.functions.find(TARGET).serving == old
        assert (await p.functions.get(TARGET)).serving.memory_mb == 256


async def test_an_update_stays_in_progress_for_as_long_as_is_configured() -> None:
    storage = engine("memory")(Path("/nowhere"), FakeClock())
    async with plane(storage) as p:
        await p.create()
        await p.functions.get(TARGET)
    async with plane(storage, transition_s=60.0) as p:
        await p.change(512)
        seen = await p.functions.get(TARGET)
        assert seen.status.last_update is UpdateStatus.IN_PROGRESS
        assert (await refusal_of(p.change(256)))[1].startswith(
            "The operation cannot be performed at this time. An update is in progress"
        )
