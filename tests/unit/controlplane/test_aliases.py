"""Aliases on the in-memory store: what they may point to, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.controlplane.aliases import AliasChange, Aliases
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target
from lambdad.controlplane.transitions import Transitions
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.errors import ServiceException
from lambdad.domain.resources import QUALIFIED_KINDS, Resource, qualified_keys
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import RecordingObserver
from lambdad.testing.functions import FUNCTION_KEY, a_function

TARGET = Target(key=FUNCTION_KEY, qualifier=None)
LIVE = FUNCTION_KEY.arn("live")


@pytest.fixture
def storage() -> Engine:
    return engine("memory")(Path("/nowhere"), FakeClock())


@pytest.fixture
async def aliases(storage: Engine) -> AsyncIterator[Aliases]:
    """Aliases of a function that has `$LATEST`, 1, 2 and 3."""
    for version in (LATEST, "1", "2", "3"):
        await storage.functions.insert(a_function(version=version))
    locks, observer = FunctionLocks(), RecordingObserver()
    async with Transitions(storage.functions, locks, observer=observer) as transitions:
        yield Aliases(storage, locks=locks, transitions=transitions, observer=observer)


async def refusal_of(call: Any) -> tuple[str, str]:
    with pytest.raises(ServiceException) as refused:
        await call
    return refused.value.code, refused.value.message


async def test_an_alias_is_found_as_it_was_made(aliases: Aliases) -> None:
    made = await aliases.create(TARGET, "live", AliasChange(version="1", weights={"2": 0.25}))
    assert aliases.get(TARGET, "live") == made
    assert (made.arn, made.version, made.description, made.weights) == (
        LIVE,
        "1",
        "",
        {"2": 0.25},
    )


async def test_a_name_is_taken_once(aliases: Aliases) -> None:
    calls = (aliases.create(TARGET, "live", AliasChange(version="1")) for _ in range(5))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, ServiceException)]
    assert [(r.code, r.message) for r in refusals] == 4 * [
        ("ResourceConflictException", f"Alias already exists: {LIVE}")
    ]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (
            AliasChange(version="1", weights={"2": 0.1, "3": 0.1}),
            (
                "InvalidParameterValueException",
                "Number of items in AdditionalVersionWeights cannot be greater than 1",
            ),
        ),
        (
            AliasChange(version="1", weights={"1": 0.1}),
            (
                "InvalidParameterValueException",
                (
                    "Invalid function version 1. Function version 1 is already included in "
                    "routing configuration."
                ),
            ),
        ),
        (
            AliasChange(version=LATEST, weights={"1": 0.1}),
            (
                "InvalidParameterValueException",
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ),
        ),
        (
            AliasChange(version="9"),
            ("ResourceNotFoundException", f"Function not found: {FUNCTION_KEY.arn('9')}"),
        ),
        (
            AliasChange(version="1", weights={"9": 0.1}),
            ("ResourceNotFoundException", f"Function not found: {FUNCTION_KEY.arn('9')}"),
        ),
    ],
)
async def test_what_an_alias_may_not_point_to_is_refused(
    aliases: Aliases, change: AliasChange, refusal: tuple[str, str]
) -> None:
    assert await refusal_of(aliases.create(TARGET, "live", change)) == refusal
    made = await aliases.create(TARGET, "live", AliasChange(version="3"))
    assert await refusal_of(aliases.update(TARGET, "live", change)) == refusal
    assert aliases.get(TARGET, "live") == made


async def test_what_is_left_out_stays_and_the_revision_changes_in_any_case(
    aliases: Aliases,
) -> None:
    change = AliasChange(version="1", description="d", weights={"2": 0.5})
    made = await aliases.create(TARGET, "live", change)
    same = await aliases.update(TARGET, "live", AliasChange())
    assert (same.version, same.description, same.weights) == ("1", "d", {"2": 0.5})
    assert same.revision_id != made.revision_id
    moved = await aliases.update(TARGET, "live", AliasChange(version="3", description=""))
    assert (moved.version, moved.description, moved.weights) == ("3", "", {"2": 0.5})
    cleared = await aliases.update(TARGET, "live", AliasChange(weights={}))
    assert (cleared.version, cleared.weights) == ("3", {})


async def test_an_alias_cannot_move_onto_the_version_it_shares_traffic_with(
    aliases: Aliases,
) -> None:
    await aliases.create(TARGET, "live", AliasChange(version="1", weights={"2": 0.5}))
    call = aliases.update(TARGET, "live", AliasChange(version="2"))
    assert (await refusal_of(call))[1].startswith("Invalid function version 2.")


async def test_a_stale_revision_is_refused_and_changes_nothing(aliases: Aliases) -> None:
    made = await aliases.create(TARGET, "live", AliasChange(version="1"))
    code, message = await refusal_of(
        aliases.update(TARGET, "live", AliasChange(version="2", revision_id="stale"))
    )
    assert code == "PreconditionFailedException"
    assert message.endswith("Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
    assert aliases.get(TARGET, "live") == made
    change = AliasChange(version="2", revision_id=made.revision_id)
    assert (await aliases.update(TARGET, "live", change)).version == "2"


async def test_of_two_changes_of_one_revision_one_is_made(aliases: Aliases) -> None:
    made = await aliases.create(TARGET, "live", AliasChange(version="1"))
    outcomes = await asyncio.gather(
        *(
            aliases.update(
                TARGET, "live", AliasChange(version=version, revision_id=made.revision_id)
            )
            for version in ("2", "3")
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, ServiceException) for outcome in outcomes) == 1


async def test_an_alias_or_a_function_that_is_not_there_is_not_found(aliases: Aliases) -> None:
    absent = Target(
        key=FunctionKey(account_id="000000000000", region="us-east-1", name="absent"),
        qualifier=None,
    )
    no_function = ("ResourceNotFoundException", f"Function not found: {absent.key.arn()}")
    with pytest.raises(ServiceException) as refused:
        aliases.get(TARGET, "live")
    assert refused.value.message == f"Cannot find alias arn: {LIVE}"
    assert await refusal_of(aliases.update(TARGET, "live", AliasChange())) == (
        "ResourceNotFoundException",
        f"Alias not found: {LIVE}",
    )
    await aliases.delete(TARGET, "live")
    assert await refusal_of(aliases.update(absent, "live", AliasChange())) == no_function
    assert await refusal_of(aliases.delete(absent, "live")) == no_function


async def test_aliases_are_listed_by_name_page_by_page_and_by_version(aliases: Aliases) -> None:
    names = sorted(f"a{number:02}" for number in range(12))
    for position, name in enumerate(names):
        await aliases.create(TARGET, name, AliasChange(version="1" if position % 3 else "2"))
    for version, expected in ((None, names), ("2", names[::3]), ("3", [])):
        found: list[str] = []
        after, more = None, True
        while more:
            page = aliases.list(TARGET, version=version, after=after, limit=3)
            found += [alias.name for alias in page.aliases]
            after, more = (found[-1] if found else None), page.more
        assert found == expected


async def test_what_belongs_to_an_alias_goes_with_it(aliases: Aliases, storage: Engine) -> None:
    await aliases.create(TARGET, "live", AliasChange(version="1"))
    await aliases.create(TARGET, "live2", AliasChange(version="1"))
    for name in ("live", "live2"):
        for key in qualified_keys("000000000000", "us-east-1", "f", name):
            resource = Resource(key=key, function="f", revision="r", document={})
            await storage.resources.put(resource)
    await aliases.delete(TARGET, "live")
    assert aliases.find(FUNCTION_KEY, "live") is None
    left = [
        resource.key.name for kind in QUALIFIED_KINDS for resource in storage.resources.all(kind)
    ]
    assert left == ["f:live2"] * len(QUALIFIED_KINDS)


async def test_aliases_go_with_their_function(aliases: Aliases, storage: Engine) -> None:
    await aliases.create(TARGET, "live", AliasChange(version="1"))
    await storage.functions.delete(FUNCTION_KEY)
    assert aliases.find(FUNCTION_KEY, "live") is None
