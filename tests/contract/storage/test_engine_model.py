"""Any sequence of changes leaves both engines where a dictionary would be, restarts included."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.domain.arns import FunctionKey
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
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import FUNCTION_KEY, a_function, a_resource

NAMES = st.sampled_from(["f", "g"])
REVISIONS = st.sampled_from(["r1", "r2"])
VERSIONS = st.sampled_from(["$LATEST", "1", "10", "2"])
Model = dict[tuple[str, ...], tuple[str, Any]]


def key_of(name: str) -> FunctionKey:
    return FunctionKey(account_id=FUNCTION_KEY.account_id, region=FUNCTION_KEY.region, name=name)


FUNCTIONS = st.builds(
    lambda name, version, revision: a_function(
        key=key_of(name), version=version, revision_id=revision
    ),
    NAMES,
    VERSIONS,
    REVISIONS,
)
RESOURCES = st.builds(
    lambda name, function, revision: a_resource(
        name=name, function=function, revision=revision, of=function
    ),
    st.sampled_from(["a", "b:c"]),
    NAMES | st.none(),
    REVISIONS,
)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(lambda f: InsertFunction(function=f), FUNCTIONS),
    st.builds(lambda f, r: ReplaceFunction(function=f, expected_revision=r), FUNCTIONS, REVISIONS),
    st.builds(lambda n, v: DeleteVersion(key=key_of(n), version=v), NAMES, VERSIONS),
    st.builds(
        lambda resource, r: PutResource(resource=resource, expected_revision=r),
        RESOURCES,
        st.sampled_from([None, None, None, "", "r1", "r2"]),
    ),
    st.builds(lambda resource: DeleteResource(key=resource.key), RESOURCES),
)
# A transaction, the deletion of a function, or a restart.
STEPS = st.lists(
    st.lists(CHANGES, min_size=1, max_size=4) | NAMES | st.just(None), min_size=1, max_size=20
)


def changed(model: Model, changes: list[Change]) -> Model:
    """What a dictionary becomes.

    Raises:
        AlreadyExists, RevisionMismatch: as the engine has to.
    """
    model = dict(model)
    for change in changes:
        match change:
            case InsertFunction(function=f):
                expect(model, ("function", f.key.name, f.version), "")
                model["function", f.key.name, f.version] = (f.revision_id, f)
            case ReplaceFunction(function=f, expected_revision=revision):
                expect(model, ("function", f.key.name, f.version), revision)
                model["function", f.key.name, f.version] = (f.revision_id, f)
            case DeleteVersion(key=key, version=version):
                model.pop(("function", key.name, version), None)
            case PutResource(resource=resource, expected_revision=revision_or_none):
                if revision_or_none is not None:
                    expect(model, ("resource", resource.key.name), revision_or_none)
                model["resource", resource.key.name] = (resource.revision, resource)
            case DeleteResource(key=resource_key):
                model.pop(("resource", resource_key.name), None)
    return model


def expect(model: Model, name: tuple[str, ...], revision: str) -> None:
    stored = model.get(name)
    if not revision and stored is not None:
        raise AlreadyExists
    if revision and (stored is None or stored[0] != revision):
        raise RevisionMismatch


def without_function(model: Model, name: str) -> Model:
    return {
        key: entry
        for key, entry in model.items()
        if key[:2] != ("function", name) and (key[0] != "resource" or entry[1].function != name)
    }


def check(store: Engine, model: Model) -> None:
    resources = store.resources.list("alias", FUNCTION_KEY.account_id, FUNCTION_KEY.region)
    names = sorted(key[1] for key in model if key[0] == "resource")
    assert list(resources) == [model["resource", name][1] for name in names]
    for name in ("f", "g"):
        versions = [key[2] for key in model if key[:2] == ("function", name)]
        versions.sort(key=lambda version: 0 if version == "$LATEST" else int(version))
        found = list(store.functions.versions(key_of(name)))
        assert found == [model["function", name, version][1] for version in versions]
    latest = sorted(key[1] for key in model if key[0] == "function" and key[2] == "$LATEST")
    page = store.functions.list(FUNCTION_KEY.account_id, FUNCTION_KEY.region, after=None, limit=9)
    assert [function.key.name for function in page] == latest


async def opened(name: str, data_dir: Path) -> Engine:
    store = engine(name)(data_dir, FakeClock())
    await store.open()
    return store


async def run(name: str, data_dir: Path, steps: list[Any]) -> None:
    store, model = await opened(name, data_dir), dict[tuple[str, ...], tuple[str, Any]]()
    try:
        for step in steps:
            if isinstance(step, list):
                try:
                    after = changed(model, step)
                except (AlreadyExists, RevisionMismatch) as refusal:
                    with pytest.raises(type(refusal)):
                        await store.apply(*step)
                else:
                    await store.apply(*step)
                    model = after
            elif step is not None:
                was_there = any(key[:2] == ("function", step) for key in model)
                assert await store.functions.delete(key_of(step)) is was_there
                model = without_function(model, step)
            elif name == "sqlite":
                await store.close()
                store = await opened(name, data_dir)
            check(store, model)
    finally:
        await store.close()


@settings(max_examples=500, deadline=None)
@given(steps=STEPS)
def test_the_memory_engine_is_a_dictionary(steps: list[Any]) -> None:
    asyncio.run(run("memory", Path("/nowhere"), steps))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_the_sqlite_engine_is_a_dictionary_that_stays(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run("sqlite", Path(directory), steps))
