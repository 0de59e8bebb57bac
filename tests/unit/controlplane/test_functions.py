"""The life cycle of functions on the in-memory store."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from tests.unit.controlplane.planes import (
    BUSY,
    NOT_FOUND,
    STALE,
    TARGET,
    SlowDisk,
    memory_engine,
    new_function,
    plane,
    refused,
)

from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange
from lambdad.controlplane.functions import CodeUpdate, NewFunction
from lambdad.controlplane.references import Target
from lambdad.domain.errors import InvalidParameterValueException, PlatformError, ServiceException
from lambdad.domain.functions import State, UpdateStatus
from lambdad.storage.base import Engine
from lambdad.testing.controlplane import (
    GatedPreparer,
    a_zip,
)
from lambdad.testing.functions import FUNCTION_KEY


async def test_a_created_function_is_pending_in_the_answer_and_active_at_the_next_look() -> None:
    async with plane() as p:
        created = await p.functions.create(TARGET, new_function())
        assert created.status.state is State.PENDING
        seen = await p.functions.get(TARGET)
        assert (seen.status.state, seen.status.last_update) == (
            State.ACTIVE,
            UpdateStatus.SUCCESSFUL,
        )
        assert seen.status.state_reason is None
        assert seen.revision_id != created.revision_id


async def test_an_update_right_after_creation_is_accepted() -> None:
    async with plane() as p:
        await p.functions.create(TARGET, new_function())
        changed = await p.functions.update_configuration(
            TARGET, ConfigurationChange(memory_mb=512), revision_id=None
        )
        assert changed.status.last_update is UpdateStatus.IN_PROGRESS
        seen = await p.functions.get(TARGET)
        assert (seen.memory_mb, seen.status.last_update) == (512, UpdateStatus.SUCCESSFUL)


async def test_a_name_is_taken_once() -> None:
    async with plane() as p:
        await p.functions.create(TARGET, new_function())
        async with refused() as found:
            await p.functions.create(TARGET, new_function())
        assert found == [("ResourceConflictException", "Function already exist: f")]


async def test_of_many_creations_at_once_one_wins() -> None:
    async with plane() as p:
        outcomes = await asyncio.gather(
            *(p.functions.create(TARGET, new_function()) for _ in range(8)), return_exceptions=True
        )
        refusals = [o for o in outcomes if isinstance(o, ServiceException)]
        assert len(refusals) == 7
        assert {refusal.code for refusal in refusals} == {"ResourceConflictException"}


async def test_while_a_version_is_prepared_it_shows_and_refuses_updates() -> None:
    gate = GatedPreparer()
    async with plane(preparer=gate) as p:
        await p.functions.create(TARGET, new_function())
        assert (await p.functions.get(TARGET)).status.state is State.PENDING
        async with refused() as found:
            await p.functions.update_code(
                TARGET, CodeUpdate(source=CodeSource(zip_file=a_zip({"b.py": ""})))
            )
        assert found == [BUSY]
        async with refused() as found:
            await p.functions.update_configuration(TARGET, ConfigurationChange(), revision_id=None)
        assert found == [BUSY]
        async with refused() as found:
            await p.functions.runnable(TARGET)
        assert found == [
            (
                "ResourceConflictException",
                (
                    "The operation cannot be performed at this time. The function is currently in "
                    "the following state: Pending"
                ),
            )
        ]
        gate.gate.set()


async def test_a_version_that_cannot_be_prepared_fails_with_the_reason() -> None:
    gate = GatedPreparer()
    gate.failure = PlatformError("no snapshot")
    gate.gate.set()
    async with plane(preparer=gate) as p:
        await p.functions.create(TARGET, new_function())
        while (function := await p.functions.get(TARGET)).status.state is State.PENDING:  # noqa: ASYNC110 - only turns of the loop
            await asyncio.sleep(0)
        status = function.status
        assert (status.state, status.state_reason) == (State.FAILED, "no snapshot")
        assert (status.last_update, status.last_update_reason) == (
            UpdateStatus.FAILED,
            "no snapshot",
        )
        async with refused() as found:
            await p.functions.runnable(TARGET)
        assert "following state: Failed" in found[0][1]


async def test_what_a_stopped_server_left_unfinished_is_finished_at_the_next_start() -> None:
    storage = memory_engine()
    async with plane(storage=storage, preparer=GatedPreparer()) as p:
        await p.functions.create(TARGET, new_function())
    stored = storage.functions.get(FUNCTION_KEY)
    assert stored is not None
    assert stored.status.state is State.PENDING
    async with plane(storage=storage) as p:
        assert (await p.functions.get(TARGET)).status.state is State.ACTIVE


async def test_a_caller_that_goes_away_does_not_leave_a_function_half_made() -> None:
    disk = SlowDisk()
    async with plane(storage=cast("Engine", disk)) as p:
        creation = asyncio.ensure_future(p.functions.create(TARGET, new_function()))
        await disk.written.wait()
        creation.cancel()
        await asyncio.gather(creation, return_exceptions=True)
        disk.durable.set()
    stored = disk.storage.functions.get(FUNCTION_KEY)
    assert stored is not None
    assert stored.status.state is State.ACTIVE


async def test_a_stale_revision_is_refused() -> None:
    async with plane() as p:
        created = await p.functions.create(TARGET, new_function())
        current = await p.functions.get(TARGET)
        async with refused() as found:
            await p.functions.update_configuration(
                TARGET, ConfigurationChange(), revision_id=created.revision_id
            )
        assert found == [STALE]
        async with refused() as found:
            await p.functions.update_code(
                TARGET,
                CodeUpdate(source=CodeSource(zip_file=a_zip()), revision_id=created.revision_id),
            )
        assert found == [STALE]
        await p.functions.update_configuration(
            TARGET, ConfigurationChange(), revision_id=current.revision_id
        )


async def test_of_two_updates_at_once_none_is_lost() -> None:
    async with plane() as p:
        await p.functions.create(TARGET, new_function())
        outcomes = await asyncio.gather(
            *(
                p.functions.update_configuration(TARGET, change, revision_id=None)
                for change in (ConfigurationChange(memory_mb=512), ConfigurationChange(timeout_s=9))
            ),
            return_exceptions=True,
        )
        seen = await p.functions.get(TARGET)
        done = [o for o in outcomes if not isinstance(o, BaseException)]
        assert len(done) >= 1
        assert ((seen.memory_mb == 512) + (seen.timeout_s == 9)) == len(done)


async def test_dry_run_answers_with_the_new_code_and_changes_nothing() -> None:
    async with plane() as p:
        await p.functions.create(TARGET, new_function())
        before = await p.functions.get(TARGET)
        heard = list(p.observer.changed)
        shown = await p.functions.update_code(
            TARGET, CodeUpdate(source=CodeSource(zip_file=a_zip({"b.py": ""})), dry_run=True)
        )
        assert shown.code != before.code
        assert await p.functions.get(TARGET) == before
        assert p.observer.changed == heard


async def test_the_data_plane_hears_of_changes_and_of_the_end() -> None:
    async with plane() as p:
        created = await p.functions.create(TARGET, new_function())
        changed = await p.functions.update_code(
            TARGET,
            CodeUpdate(source=CodeSource(zip_file=a_zip({"b.py": ""})), architectures=("arm64",)),
        )
        await p.functions.get(TARGET)
        heard = [(f.code, f.serving.code, f.status.last_update) for f in p.observer.changed]
        old, new = created.code, changed.code
        assert heard == [
            (old, old, None),
            (old, old, UpdateStatus.SUCCESSFUL),
            (new, old, UpdateStatus.IN_PROGRESS),
            (new, new, UpdateStatus.SUCCESSFUL),
        ]
        assert changed.architectures == ("arm64",)
        await p.functions.delete(TARGET)
        assert [function.key for function in p.observer.deleted] == [FUNCTION_KEY]


async def test_a_deleted_function_is_gone() -> None:
    async with plane() as p:
        await p.functions.create(TARGET, new_function())
        await p.functions.delete(TARGET)
        async with refused() as found:
            await p.functions.get(TARGET)
        assert found == [NOT_FOUND]
        async with refused() as found:
            await p.functions.delete(TARGET)
        assert found == [NOT_FOUND]
        async with refused() as found:
            await p.functions.update_configuration(TARGET, ConfigurationChange(), revision_id=None)
        assert found == [NOT_FOUND]


async def test_only_versions_can_be_deleted_by_qualifier() -> None:
    async with plane() as p:
        await p.functions.create(TARGET, new_function())
        async with refused() as found:
            await p.functions.delete(Target(key=FUNCTION_KEY, qualifier="$LATEST"))
        assert found == [
            (
                "InvalidParameterValueException",
                "$LATEST version cannot be deleted without deleting the function.",
            )
        ]
        async with refused() as found:
            await p.functions.delete(Target(key=FUNCTION_KEY, qualifier="live"))
        assert found[0][0] == "InvalidParameterValueException"
        await p.functions.delete(Target(key=FUNCTION_KEY, qualifier="7"))
        await p.functions.get(TARGET)


async def test_packages_are_collected_once_no_function_refers_to_them() -> None:
    async with plane() as p:
        created = await p.functions.create(TARGET, new_function())
        assert p.functions.used_packages() == {created.code.digest}
        assert await p.functions.collect_packages() == 0
        await p.functions.delete(TARGET)
        assert await p.functions.collect_packages(frozenset({created.code.digest})) == 0
        assert await p.functions.collect_packages() == 1
        assert p.packages.packages == {}


async def test_tags_survive_a_change_that_is_under_way() -> None:
    gate = GatedPreparer()
    async with plane(preparer=gate) as p:
        await p.functions.create(TARGET, new_function())
        await p.functions.tag(TARGET, {"a": "1", "b": "2"})
        await p.functions.untag(TARGET, ["b", "c"])
        gate.gate.set()
        while (await p.functions.get(TARGET)).status.state is not State.ACTIVE:  # noqa: ASYNC110 - only turns of the loop
            await asyncio.sleep(0)
        assert (await p.functions.get(TARGET)).tags == {"a": "1"}


async def test_tagging_leaves_the_revision_alone() -> None:
    async with plane() as p:
        await p.functions.create(TARGET, new_function())
        before = await p.functions.get(TARGET)
        await p.functions.tag(TARGET, {"a": "1"})
        assert (await p.functions.get(TARGET)).revision_id == before.revision_id


async def test_fifty_tags_are_the_limit() -> None:
    async with plane() as p:
        await p.functions.create(TARGET, new_function())
        await p.functions.tag(TARGET, {f"k{n}": "v" for n in range(50)})
        async with refused() as found:
            await p.functions.tag(TARGET, {"one": "more"})
        assert found == [
            ("InvalidParameterValueException", "Number of tags exceeds resource tag limit.")
        ]


async def test_listing_pages_by_name_and_accounts_do_not_see_each_other() -> None:
    async with plane() as p:
        for name in ("b", "a", "c"):
            key = type(FUNCTION_KEY)(account_id="000000000000", region="us-east-1", name=name)
            await p.functions.create(Target(key=key, qualifier=None), new_function())
        first = p.functions.listing.functions("000000000000", "us-east-1", after=None, limit=2)
        assert ([f.key.name for f in first.functions], first.more) == (["a", "b"], True)
        rest = p.functions.listing.functions("000000000000", "us-east-1", after="b", limit=2)
        assert ([f.key.name for f in rest.functions], rest.more) == (["c"], False)
        assert not p.functions.listing.functions(
            "000000000000", "eu-west-1", after=None, limit=2
        ).functions
        assert p.functions.listing.usage("000000000000", "us-east-1").functions == 3
        assert p.functions.listing.usage("111111111111", "us-east-1").functions == 0


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (
            CodeSource(),
            "InvalidParameterValueException",
            "Please provide a source for function code.",
        ),
        (
            CodeSource(zip_file=b"x", s3_bucket="b", s3_key="k"),
            "InvalidParameterValueException",
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        ),
        (
            CodeSource(image_uri="i"),
            "InvalidParameterValueException",
            "Please don't provide ImageUri when creating a function with packageType Zip.",
        ),
        (
            CodeSource(s3_bucket="b", s3_key="k"),
            "InvalidParameterValueException",
            (
                "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: "
                "The specified bucket does not exist. lambdad has no S3 to read 'b' from; name "
                "one in `neighbours.s3` of the configuration, or upload the package as ZipFile."
            ),
        ),
        (
            CodeSource(zip_file=b""),
            "InvalidParameterValueException",
            "Uploaded file must be a non-empty zip",
        ),
        (
            CodeSource(zip_file=b"no zip"),
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            CodeSource(zip_file=bytes(52_428_801)),
            "RequestEntityTooLargeException",
            "Zipped size must be smaller than 52428800 bytes",
        ),
    ],
    ids=["none", "two", "image", "no S3", "empty", "no zip", "too large"],
)
async def test_unusable_code_is_refused_and_nothing_is_stored(
    source: CodeSource, code: str, message: str
) -> None:
    async with plane() as p:
        new = NewFunction(configuration=new_function().configuration, source=source)
        async with refused() as found:
            await p.functions.create(TARGET, new)
        assert found == [(code, message)]
        assert p.store.get(FUNCTION_KEY) is None
        assert p.packages.packages == {}


async def test_code_comes_from_the_object_source() -> None:
    class Bucket:
        async def read(self, bucket: str, key: str, version: str | None, account_id: str) -> bytes:
            if (bucket, key, version) != ("b", "k", "v1"):
                raise InvalidParameterValueException("NoSuchKey")
            return a_zip()

    async with plane(objects=Bucket()) as p:
        source = CodeSource(s3_bucket="b", s3_key="k", s3_version="v1")
        new = NewFunction(configuration=new_function().configuration, source=source)
        created = await p.functions.create(TARGET, new)
        assert p.packages.packages[created.code.digest] == a_zip()


@pytest.mark.parametrize("missing", ["runtime", "handler"])
async def test_a_zip_function_needs_runtime_and_handler(missing: str) -> None:
    async with plane() as p:
        async with refused() as found:
            await p.functions.create(TARGET, new_function(**{missing: None}))
        assert found == [
            (
                "InvalidParameterValueException",
                (
                    "Runtime and Handler are mandatory parameters for functions created with "
                    "deployment packages."
                ),
            )
        ]
