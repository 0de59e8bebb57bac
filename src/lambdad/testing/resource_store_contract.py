"""What every store of resources promises, and what `Engine.apply` promises, as a pytest class."""

# ruff: noqa: D102 - the name of a test states its promise

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lambdad.storage.base import (
    AlreadyExists,
    Change,
    DeleteResource,
    DeleteVersion,
    Engine,
    InsertFunction,
    PutResource,
    ReplaceFunction,
    RevisionMismatch,
)
from lambdad.storage.registry import engine as engine_by_name
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import FUNCTION_KEY, a_function, a_resource

HERE = ("000000000000", "us-east-1")


class ResourceStoreContract:
    """Promises of :class:`lambdad.storage.base.ResourceStore` and of `Engine.apply`.

    Attributes:
        engine_name: entry point of the engine.
        durable: whether it remembers after :meth:`Engine.close`.
    """

    engine_name: ClassVar[str]
    durable: ClassVar[bool] = True

    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Engine]:
        """An open engine on an empty directory."""
        engine = engine_by_name(self.engine_name)(tmp_path, FakeClock())
        await engine.open()
        yield engine
        await engine.close()

    async def test_a_resource_is_read_back_whole(self, engine: Engine) -> None:
        resource = a_resource(
            text="ä\ud800", nothing=None, weights={"2": 0.25}, many=[1, {"x": [True]}]
        )
        await engine.resources.insert(resource)
        assert engine.resources.get(resource.key) == resource
        assert engine.resources.get(replace(resource.key, name="f:other")) is None
        assert engine.resources.get(replace(resource.key, kind="policy")) is None

    async def test_what_is_read_is_what_a_restart_would_read(self, engine: Engine) -> None:
        """JSON knows no tuples, and the caller may go on with its own document."""
        inner = {"a": 1}
        await engine.resources.insert(a_resource(pair=(1, 2), inner=inner))
        inner["a"] = 2
        found = engine.resources.get(a_resource().key)
        assert found is not None
        assert found.document == {"pair": [1, 2], "inner": {"a": 1}}

    @pytest.mark.parametrize("value", [object(), float("nan"), b"bytes"])
    async def test_what_is_not_json_is_refused(self, engine: Engine, value: Any) -> None:
        good = a_resource(name="good")
        with pytest.raises((TypeError, ValueError)):
            await engine.apply(
                PutResource(resource=good), PutResource(resource=a_resource(x=value))
            )
        assert engine.resources.get(good.key) is None

    async def test_a_resource_is_inserted_once(self, engine: Engine) -> None:
        await engine.resources.insert(a_resource())
        with pytest.raises(AlreadyExists):
            await engine.resources.insert(a_resource(revision="r2"))
        assert engine.resources.get(a_resource().key) == a_resource()

    async def test_put_takes_what_was_there_or_nothing(self, engine: Engine) -> None:
        await engine.resources.put(a_resource())
        changed = a_resource(revision="r2", function="g", version="2")
        await engine.resources.put(changed)
        assert engine.resources.get(changed.key) == changed
        assert len(engine.resources.list("alias", *HERE)) == 1

    async def test_replace_needs_the_stored_revision(self, engine: Engine) -> None:
        changed = a_resource(revision="r2", version="2")
        for expected in ("r1", ""):
            with pytest.raises(RevisionMismatch):
                await engine.resources.replace(changed, expected_revision=expected)
        await engine.resources.insert(a_resource())
        for expected in ("r0", ""):
            with pytest.raises(RevisionMismatch):
                await engine.resources.replace(changed, expected_revision=expected)
        await engine.resources.replace(changed, expected_revision="r1")
        assert engine.resources.get(changed.key) == changed

    async def test_of_concurrent_replaces_of_one_revision_one_wins(self, engine: Engine) -> None:
        await engine.resources.insert(a_resource())
        changes = [a_resource(revision=f"new{number}") for number in range(50)]
        outcomes = await asyncio.gather(
            *(engine.resources.replace(r, expected_revision="r1") for r in changes),
            return_exceptions=True,
        )
        winners = [r for r, outcome in zip(changes, outcomes, strict=True) if outcome is None]
        assert len(winners) == 1
        assert all(isinstance(o, RevisionMismatch) for o in outcomes if o is not None)
        assert engine.resources.get(a_resource().key) == winners[0]

    async def test_delete_says_whether_there_was_one(self, engine: Engine) -> None:
        await engine.resources.insert(a_resource())
        assert await engine.resources.delete(a_resource().key) is True
        assert await engine.resources.delete(a_resource().key) is False
        assert engine.resources.get(a_resource().key) is None
        assert list(engine.resources.list("alias", *HERE)) == []
        await engine.resources.insert(a_resource())

    async def test_listings_are_by_name_within_kind_account_and_region(
        self, engine: Engine
    ) -> None:
        names = ["g:a", "f:b", "f:B", "f:a", "f-2:a", "f"]
        for name in names:
            await engine.resources.insert(a_resource(name=name))
        for other in ({"kind": "policy"}, {"account_id": "1" * 12}, {"region": "eu-west-1"}):
            await engine.resources.insert(a_resource(name="f:x", **other))
        assert self._names(engine) == sorted(names)
        assert self._names(engine, prefix="f:") == ["f:B", "f:a", "f:b"]
        assert self._names(engine, prefix="f:", after="f:B") == ["f:a", "f:b"]
        assert self._names(engine, prefix="f:", after="a", limit=2) == ["f:B", "f:a"]
        assert self._names(engine, prefix="f:", after="z") == []
        assert self._names(engine, limit=0) == []
        assert list(engine.resources.list("alias", "2" * 12, "us-east-1")) == []

    async def test_all_of_a_kind_are_of_every_account_and_region(self, engine: Engine) -> None:
        resources = [
            a_resource(),
            a_resource(account_id="1" * 12),
            a_resource(region="eu-west-1"),
            a_resource(name="f:other", function=None),
        ]
        for resource in resources:
            await engine.resources.insert(resource)
        await engine.resources.insert(a_resource(kind="policy"))
        found = engine.resources.all("alias")
        assert sorted(map(repr, found)) == sorted(map(repr, resources))
        assert list(engine.resources.all("layer")) == []

    async def test_deleting_a_function_takes_its_resources_and_no_others(
        self, engine: Engine
    ) -> None:
        await engine.functions.insert(a_function())
        gone = [a_resource(), a_resource(kind="policy", name="f")]
        kept = [
            a_resource(name="f2:live", function="f2"),
            a_resource(name="f:elsewhere", account_id="1" * 12),
            a_resource(name="f:elsewhere", region="eu-west-1"),
            a_resource(kind="layer-version", function=None),
        ]
        for resource in (*gone, *kept):
            await engine.resources.insert(resource)
        assert await engine.functions.delete(FUNCTION_KEY) is True
        assert [engine.resources.get(resource.key) for resource in gone] == [None, None]
        assert [engine.resources.get(resource.key) for resource in kept] == kept

    async def test_a_resource_goes_with_the_function_it_was_last_put_for(
        self, engine: Engine
    ) -> None:
        for name in ("f", "g"):
            await engine.functions.insert(a_function(key=replace(FUNCTION_KEY, name=name)))
        await engine.resources.put(a_resource(function="f"))
        await engine.resources.put(a_resource(function="g"))
        await engine.functions.delete(FUNCTION_KEY)
        assert engine.resources.get(a_resource().key) is not None
        await engine.functions.delete(replace(FUNCTION_KEY, name="g"))
        assert engine.resources.get(a_resource().key) is None

    async def test_changes_are_made_together(self, engine: Engine) -> None:
        await engine.functions.insert(a_function(version="1"))
        await engine.resources.insert(a_resource(name="old"))
        latest, changed = a_function(), a_function(version="2", revision_id="r2")
        await engine.apply(
            InsertFunction(function=latest),
            InsertFunction(function=a_function(version="2")),
            ReplaceFunction(function=changed, expected_revision="r1"),
            DeleteVersion(key=FUNCTION_KEY, version="1"),
            PutResource(resource=a_resource(), expected_revision=""),
            DeleteResource(key=a_resource(name="old").key),
        )
        assert list(engine.functions.versions(FUNCTION_KEY)) == [latest, changed]
        assert self._names(engine) == ["f:live"]

    async def test_every_change_is_counted(self, engine: Engine) -> None:
        """Whoever remembers what was read looks at nothing but the count."""
        counted = [engine.functions.changes]
        for change in (
            InsertFunction(function=a_function()),
            ReplaceFunction(function=a_function(revision_id="r2"), expected_revision="r1"),
            InsertFunction(function=a_function(version="1")),
            DeleteVersion(key=FUNCTION_KEY, version="1"),
            PutResource(resource=a_resource(), expected_revision=""),
            DeleteResource(key=a_resource().key),
        ):
            await engine.apply(change)
            counted.append(engine.functions.changes)
        await engine.resources.put(a_resource())
        counted.append(engine.functions.changes)
        await engine.resources.delete(a_resource().key)
        counted.append(engine.functions.changes)
        await engine.functions.delete(FUNCTION_KEY)
        counted.append(engine.functions.changes)
        assert counted == sorted(set(counted))

    async def test_deleting_what_is_not_there_is_no_error(self, engine: Engine) -> None:
        await engine.apply(
            DeleteVersion(key=FUNCTION_KEY, version="1"), DeleteResource(key=a_resource().key)
        )
        await engine.apply()

    async def test_the_last_version_that_is_deleted_takes_the_function_from_the_listing(
        self, engine: Engine
    ) -> None:
        await engine.functions.insert(a_function())
        await engine.apply(DeleteVersion(key=FUNCTION_KEY, version="$LATEST"))
        assert list(engine.functions.list(*HERE, after=None, limit=9)) == []
        assert await engine.functions.delete(FUNCTION_KEY) is False

    @pytest.mark.parametrize(
        ("impossible", "error"),
        [
            (InsertFunction(function=a_function()), AlreadyExists),
            (
                ReplaceFunction(function=a_function(revision_id="r2"), expected_revision="r0"),
                RevisionMismatch,
            ),
            (
                ReplaceFunction(function=a_function(version="9"), expected_revision="r1"),
                RevisionMismatch,
            ),
            (PutResource(resource=a_resource(), expected_revision=""), AlreadyExists),
            (PutResource(resource=a_resource(), expected_revision="r0"), RevisionMismatch),
            (
                PutResource(resource=a_resource(name="f:none"), expected_revision="r1"),
                RevisionMismatch,
            ),
        ],
    )
    @pytest.mark.parametrize("position", [0, 3, 6])
    async def test_a_change_that_cannot_be_made_leaves_nothing_of_the_others(
        self, engine: Engine, impossible: Change, error: type[Exception], position: int
    ) -> None:
        before = [a_function(), a_function(version="1")]
        for function in before:
            await engine.functions.insert(function)
        resources = [a_resource(), a_resource(name="f:old")]
        for resource in resources:
            await engine.resources.insert(resource)
        changes: list[Change] = [
            InsertFunction(function=a_function(version="2")),
            ReplaceFunction(
                function=a_function(version="1", revision_id="r2"), expected_revision="r1"
            ),
            DeleteVersion(key=FUNCTION_KEY, version="1"),
            PutResource(resource=a_resource(name="f:new")),
            PutResource(resource=a_resource(name="f:old", revision="r2", x=1)),
            DeleteResource(key=a_resource(name="f:old").key),
        ]
        changes.insert(position, impossible)
        with pytest.raises(error):
            await engine.apply(*changes)
        assert list(engine.functions.versions(FUNCTION_KEY)) == before
        assert list(engine.resources.list("alias", *HERE)) == resources
        del changes[position]
        await engine.apply(*changes)
        assert self._names(engine) == ["f:live", "f:new"]

    async def test_concurrent_transactions_do_not_mix(self, engine: Engine) -> None:
        """Each wants the same number; one gets it, with its alias and nothing of the others'."""
        attempts = [
            (
                PutResource(resource=a_resource(name=f"f:a{number}", version="1")),
                InsertFunction(function=a_function(version="1", description=str(number))),
            )
            for number in range(50)
        ]
        outcomes = await asyncio.gather(
            *(engine.apply(*attempt) for attempt in attempts), return_exceptions=True
        )
        winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
        assert len(winners) == 1
        (version,) = engine.functions.versions(FUNCTION_KEY)
        assert version.description == str(winners[0])
        assert self._names(engine) == [f"f:a{winners[0]}"]

    async def test_everything_is_there_after_reopening(self, tmp_path: Path) -> None:
        if not self.durable:
            pytest.skip("this engine forgets by design")
        first = engine_by_name(self.engine_name)(tmp_path, FakeClock())
        await first.open()
        kept = [a_resource(name=f"f:{number}", number=number) for number in range(10)]
        kept.append(a_resource(kind="layer-version", function=None, half="\ud800"))
        await first.apply(*(PutResource(resource=resource) for resource in kept))
        gone = replace(FUNCTION_KEY, name="gone")
        await first.functions.insert(a_function(key=gone))
        await first.resources.insert(a_resource(name="gone:x", function="gone"))
        await first.functions.delete(gone)
        await first.resources.insert(a_resource(name="f:deleted"))
        await first.resources.delete(a_resource(name="f:deleted").key)
        changed = replace(kept[0], revision="r2", function="g")
        await first.resources.replace(changed, expected_revision="r1")
        await first.close()
        second = engine_by_name(self.engine_name)(tmp_path, FakeClock())
        await second.open()
        expected = sorted([changed, *kept[1:10]], key=lambda resource: resource.key.name)
        assert list(second.resources.list("alias", *HERE)) == expected
        assert second.resources.get(kept[10].key) == kept[10]
        await second.functions.insert(a_function())
        await second.functions.delete(FUNCTION_KEY)
        assert self._names(second) == ["f:0"]
        await second.close()

    def _names(self, engine: Engine, **page: Any) -> list[str]:
        return [resource.key.name for resource in engine.resources.list("alias", *HERE, **page)]
