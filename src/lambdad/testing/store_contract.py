"""What every store promises, as pytest classes.

An engine is held to it by two subclasses that name it; a third-party engine by the same two lines::

    class TestFunctions(FunctionStoreContract):
        engine_name = "sqlite"
"""

# ruff: noqa: D102 - the name of a test states its promise

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Code, Function, State, Status, UpdateStatus
from lambdad.storage.base import AlreadyExists, DeleteVersion, Engine, RevisionMismatch
from lambdad.storage.registry import engine as engine_by_name
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import a_function
from lambdad.testing.log_store_contract import LogStoreContract
from lambdad.testing.package_store_contract import PackageStoreContract
from lambdad.testing.resource_store_contract import ResourceStoreContract

__all__ = [
    "FunctionStoreContract",
    "LogStoreContract",
    "PackageStoreContract",
    "ResourceStoreContract",
]


def named(name: str, account_id: str = "000000000000", region: str = "us-east-1") -> FunctionKey:
    """The key of a function."""
    return FunctionKey(account_id=account_id, region=region, name=name)


class FunctionStoreContract:
    """Promises of :class:`lambdad.storage.base.FunctionStore`.

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

    async def test_an_inserted_version_is_read_back_whole(self, engine: Engine) -> None:
        function = a_function(
            environment={"A": "ä", "EMPTY": "", "HALF": "\ud800"},
            layers=("arn:1", "arn:2"),
            layer_packages=(
                Code(sha256="a=", size_bytes=2, digest="aa"),
                Code(sha256="b=", size_bytes=3, digest="bb"),
            ),
            echoed={"VpcConfig": {"SubnetIds": ["s"], "Ipv6": True}},
            tags={"team": "x"},
            status=Status(state=State.PENDING, state_reason="r", state_reason_code="Creating"),
        )
        await engine.functions.insert(function)
        assert engine.functions.get(function.key) == function
        assert engine.functions.get(function.key, "1") is None
        assert engine.functions.get(named("other")) is None

    async def test_a_version_is_inserted_once(self, engine: Engine) -> None:
        await engine.functions.insert(a_function())
        with pytest.raises(AlreadyExists):
            await engine.functions.insert(a_function(revision_id="r2"))
        found = engine.functions.get(a_function().key)
        assert found is not None
        assert found.revision_id == "r1"
        await engine.functions.insert(a_function(version="1"))

    async def test_of_concurrent_inserts_of_one_key_one_wins(self, engine: Engine) -> None:
        functions = [a_function(revision_id=f"r{number}") for number in range(50)]
        outcomes = await asyncio.gather(
            *(engine.functions.insert(function) for function in functions), return_exceptions=True
        )
        winners = [f for f, outcome in zip(functions, outcomes, strict=True) if outcome is None]
        assert len(winners) == 1
        assert all(isinstance(o, AlreadyExists) for o in outcomes if o is not None)
        assert engine.functions.get(functions[0].key) == winners[0]

    async def test_500_concurrent_inserts_are_each_visible_when_answered(
        self, engine: Engine
    ) -> None:
        async def insert(number: int) -> None:
            function = a_function(key=named(f"f{number}"))
            await engine.functions.insert(function)
            assert engine.functions.get(function.key) == function

        await asyncio.gather(*map(insert, range(500)))
        page = engine.functions.list("000000000000", "us-east-1", after=None, limit=1_000)
        assert len(page) == 500

    async def test_a_failing_write_undoes_no_other(self, engine: Engine) -> None:
        """They may share a transaction."""
        await engine.functions.insert(a_function(key=named("taken")))
        outcomes = await asyncio.gather(
            engine.functions.insert(a_function(key=named("a"))),
            engine.functions.insert(a_function(key=named("taken"))),
            engine.functions.replace(a_function(key=named("no")), expected_revision="r1"),
            engine.functions.insert(a_function(key=named("b"))),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [
            type(None),
            AlreadyExists,
            RevisionMismatch,
            type(None),
        ]
        assert self._names(engine) == ["a", "b", "taken"]

    async def test_replace_needs_the_stored_revision(self, engine: Engine) -> None:
        await engine.functions.insert(a_function())
        changed = a_function(revision_id="r2", memory_mb=256)
        with pytest.raises(RevisionMismatch):
            await engine.functions.replace(changed, expected_revision="r0")
        await engine.functions.replace(changed, expected_revision="r1")
        assert engine.functions.get(changed.key) == changed
        with pytest.raises(RevisionMismatch):
            await engine.functions.replace(changed, expected_revision="r1")
        with pytest.raises(RevisionMismatch):
            await engine.functions.replace(a_function(version="7"), expected_revision="r2")

    async def test_of_concurrent_replaces_of_one_revision_one_wins(self, engine: Engine) -> None:
        await engine.functions.insert(a_function())
        changes = [a_function(revision_id=f"new{number}") for number in range(50)]
        outcomes = await asyncio.gather(
            *(engine.functions.replace(f, expected_revision="r1") for f in changes),
            return_exceptions=True,
        )
        winners = [f for f, outcome in zip(changes, outcomes, strict=True) if outcome is None]
        assert len(winners) == 1
        assert all(isinstance(o, RevisionMismatch) for o in outcomes if o is not None)
        assert engine.functions.get(changes[0].key) == winners[0]

    async def test_a_chain_of_replaces_ends_at_the_last(self, engine: Engine) -> None:
        await engine.functions.insert(a_function(revision_id="0"))
        for number in range(1, 30):
            function = a_function(revision_id=str(number))
            await engine.functions.replace(function, expected_revision=str(number - 1))
        found = engine.functions.get(a_function().key)
        assert found is not None
        assert found.revision_id == "29"

    async def test_delete_takes_all_versions_and_nothing_else(self, engine: Engine) -> None:
        for version in ("$LATEST", "1", "2"):
            await engine.functions.insert(a_function(version=version))
        neighbours = [named("f2"), named("f", "111111111111"), named("f", region="eu-west-1")]
        for key in neighbours:
            await engine.functions.insert(a_function(key=key))
        assert await engine.functions.delete(a_function().key) is True
        assert await engine.functions.delete(a_function().key) is False
        assert all(engine.functions.get(a_function().key, v) is None for v in ("$LATEST", "1"))
        assert all(engine.functions.get(key) is not None for key in neighbours)
        await engine.functions.insert(a_function())

    async def test_versions_are_in_the_order_of_their_numbers(self, engine: Engine) -> None:
        versions = ["10", "2", "$LATEST", "1"]
        for version in versions:
            await engine.functions.insert(a_function(version=version))
        found = [function.version for function in engine.functions.versions(a_function().key)]
        assert found == ["$LATEST", "1", "2", "10"]
        assert list(engine.functions.versions(named("other"))) == []

    async def test_digests_are_of_all_versions_of_all_accounts(self, engine: Engine) -> None:
        owned = {
            "aa": a_function(code=replace(a_function().code, digest="aa")),
            "bb": a_function(version="1", code=replace(a_function().code, digest="bb")),
            "cc": a_function(
                key=named("f", "111111111111"), code=replace(a_function().code, digest="cc")
            ),
        }
        for function in owned.values():
            await engine.functions.insert(function)
        assert engine.functions.digests() == owned.keys()
        await engine.apply(DeleteVersion(key=a_function().key, version="1"))
        assert engine.functions.digests() == {"aa", "cc"}
        await engine.functions.delete(a_function().key)
        assert engine.functions.digests() == {"cc"}

    async def test_runtimes_are_of_all_functions_but_those_of_images(self, engine: Engine) -> None:
        """With their memory, each pair once."""
        for name, runtime, memory_mb in (
            ("a", "python3.12", 128),
            ("b", "python3.12", 128),
            ("c", "java21", 512),
            ("d", "", 512),
        ):
            function = a_function(key=named(name), runtime=runtime, memory_mb=memory_mb)
            await engine.functions.insert(function)
        assert engine.functions.runtimes() == {("python3.12", 128), ("java21", 512)}

    async def test_digests_are_of_layers_and_of_what_they_make_together(
        self, engine: Engine
    ) -> None:
        layers = tuple(Code(sha256="x=", size_bytes=1, digest=digest) for digest in ("aa", "bb"))
        function = a_function(layer_packages=layers)
        await engine.functions.insert(function)
        assert engine.functions.digests() == function.packages
        assert {"aa", "bb", function.layer_tree} < function.packages

    async def test_pages_are_by_name_within_account_and_region(self, engine: Engine) -> None:
        for name in ("b", "a", "B", "c_1", "c-1"):
            await engine.functions.insert(a_function(key=named(name)))
            await engine.functions.insert(a_function(key=named(name), version="1"))
        await engine.functions.insert(a_function(key=named("x", "111111111111")))
        await engine.functions.insert(a_function(key=named("x", region="eu-west-1")))
        assert self._names(engine) == sorted(["b", "a", "B", "c_1", "c-1"])
        page = engine.functions.list("000000000000", "us-east-1", after="a", limit=2)
        assert [function.key.name for function in page] == ["b", "c-1"]
        assert list(engine.functions.list("222222222222", "us-east-1", after=None, limit=2)) == []

    async def test_paging_neither_repeats_nor_skips_what_stays(self, engine: Engine) -> None:
        """Functions come and go while a client pages, the last one seen among them."""
        for number in range(20):
            await engine.functions.insert(a_function(key=named(f"f{number:02}")))
        seen: list[str] = []
        after: str | None = None
        while page := engine.functions.list("000000000000", "us-east-1", after=after, limit=3):
            seen += [function.key.name for function in page]
            after = seen[-1]
            await engine.functions.delete(named(after))
            await engine.functions.insert(a_function(key=named(f"a{after}")))
        assert seen == [f"f{number:02}" for number in range(20)]

    async def test_unfinished_versions_are_found(self, engine: Engine) -> None:
        states = {
            "creating": Status(state=State.PENDING),
            "updating": Status(state=State.ACTIVE, last_update=UpdateStatus.IN_PROGRESS),
            "done": Status(state=State.ACTIVE, last_update=UpdateStatus.SUCCESSFUL),
            "failed": Status(state=State.FAILED, last_update=UpdateStatus.FAILED),
        }
        for name, status in states.items():
            await engine.functions.insert(a_function(key=named(name), status=status))
        found = {function.key.name for function in engine.functions.unfinished()}
        assert found == {"creating", "updating"}

    async def test_a_cancelled_write_still_leaves_memory_and_store_agreeing(
        self, engine: Engine
    ) -> None:
        """A client that hangs up must not make the store forget what became durable."""
        async with asyncio.TaskGroup() as tasks:
            writes = [
                tasks.create_task(engine.functions.insert(a_function(key=named(f"f{number}"))))
                for number in range(20)
            ]
            await asyncio.sleep(0)
            for write in writes[::2]:
                write.cancel()
        await engine.functions.insert(a_function(key=named("last")))
        for name in self._names(engine):
            with pytest.raises(AlreadyExists):
                await engine.functions.insert(a_function(key=named(name)))
        missing = {f"f{number}" for number in range(20)} - set(self._names(engine))
        for name in missing:
            await engine.functions.insert(a_function(key=named(name)))

    async def test_everything_is_there_after_reopening(self, tmp_path: Path) -> None:
        if not self.durable:
            pytest.skip("this engine forgets by design")
        first = engine_by_name(self.engine_name)(tmp_path, FakeClock())
        await first.open()
        kept = [a_function(key=named(f"f{number}"), version="1") for number in range(10)]
        for function in kept:
            await first.functions.insert(function)
        await first.functions.delete(kept[0].key)
        changed = replace(kept[1], revision_id="r2", description="changed")
        await first.functions.replace(changed, expected_revision="r1")
        await first.close()
        await first.close()
        second = engine_by_name(self.engine_name)(tmp_path, FakeClock())
        await second.open()
        expected: list[Function | None] = [None, changed, *kept[2:]]
        assert [second.functions.get(function.key, "1") for function in kept] == expected
        await second.close()

    def _names(self, engine: Engine) -> list[str]:
        page = engine.functions.list("000000000000", "us-east-1", after=None, limit=1_000)
        return [function.key.name for function in page]
