"""Code signing, recursion and runtime management on the in-memory store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lambdad.controlplane.attachments import Attachments
from lambdad.controlplane.code_signing import CodeSigningChange
from lambdad.controlplane.references import Target
from lambdad.controlplane.runtime_management import RuntimeManagement
from lambdad.storage.base import Engine
from lambdad.testing.attachments import LIVE, TARGET, an_engine, attachments_of, refusal
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import FUNCTION_KEY, a_function

HERE = (FUNCTION_KEY.account_id, FUNCTION_KEY.region)
ABSENT = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-00000000000000000"
PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p"
WARN = CodeSigningChange(publishers=(PROFILE,))
NOBODY = Target(key=replace(FUNCTION_KEY, name="gone"), qualifier=None)
NO_FUNCTION = ("ResourceNotFoundException", f"Function not found: {NOBODY.arn}")
NO_CONFIG = (
    "CodeSigningConfigNotFoundException",
    (
        "The code signing configuration cannot be found. Check that the provided configuration is "
        f"not deleted: {ABSENT}."
    ),
)
NOT_FOUND = (
    "ResourceNotFoundException",
    f"The Lambda code signing configuration {ABSENT} can not be found.",
)


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def stored(clock: FakeClock) -> Engine:
    return await an_engine(clock)


@pytest.fixture
async def attached(stored: Engine, clock: FakeClock) -> AsyncIterator[Attachments]:
    async with attachments_of(stored, clock) as attachments:
        yield attachments


async def test_a_configuration_has_the_defaults_of_aws(attached: Attachments) -> None:
    config = await attached.code_signing.create(*HERE, WARN)
    assert re.fullmatch(r"csc-[a-z0-9]{17}", config.config_id)
    assert (config.description, config.policy) == ("", "Warn")
    assert config.last_modified == "2025-11-24T16:00:00.000+0000"
    assert attached.code_signing.get(*HERE, config.arn) == config


async def test_an_update_of_nothing_changes_nothing(
    attached: Attachments, clock: FakeClock
) -> None:
    signing = attached.code_signing
    config = await signing.create(*HERE, WARN)
    clock.advance(1)
    assert await signing.update(*HERE, config.arn, CodeSigningChange()) == config
    changed = await signing.update(*HERE, config.arn, CodeSigningChange(policy="Enforce"))
    assert (changed.policy, changed.publishers) == ("Enforce", (PROFILE,))
    assert changed.last_modified == "2025-11-24T16:00:01.000+0000"


async def test_a_configuration_is_of_one_account_and_region(attached: Attachments) -> None:
    signing = attached.code_signing
    arn = (await signing.create(*HERE, WARN)).arn
    for place in (("111111111111", HERE[1]), (HERE[0], "eu-west-1")):
        assert (await refusal(lambda place=place: signing.get(*place, arn)))[0] == (  # type: ignore[misc]
            "ResourceNotFoundException"
        )
        assert not signing.list(*place, after=None, limit=1).configs


async def test_what_is_not_there_is_not_found(attached: Attachments) -> None:
    signing = attached.code_signing
    assert await refusal(lambda: signing.get(*HERE, ABSENT)) == NOT_FOUND
    assert await refusal(signing.update(*HERE, ABSENT, WARN)) == NOT_FOUND
    assert await refusal(signing.delete(*HERE, ABSENT)) == NOT_FOUND
    assert await refusal(signing.retag(*HERE, ABSENT, add={"a": "b"})) == NOT_FOUND
    listing = await refusal(lambda: signing.functions(*HERE, ABSENT, after=None, limit=1))
    assert listing == NOT_FOUND
    assert await refusal(signing.choose(TARGET, ABSENT)) == NO_CONFIG
    # AWS looks for the configuration first.
    assert await refusal(signing.choose(NOBODY, ABSENT)) == NO_CONFIG
    arn = (await signing.create(*HERE, WARN)).arn
    assert await refusal(signing.choose(NOBODY, arn)) == NO_FUNCTION
    assert await refusal(signing.unchoose(NOBODY)) == NO_FUNCTION
    assert await refusal(lambda: signing.chosen(NOBODY)) == NO_FUNCTION


async def test_a_function_has_one_until_it_is_taken_away(
    attached: Attachments, stored: Engine
) -> None:
    signing = attached.code_signing
    arn = (await signing.create(*HERE, WARN)).arn
    assert signing.chosen(TARGET) is None
    await signing.choose(TARGET, arn)
    assert signing.chosen(TARGET) == arn
    other = replace(FUNCTION_KEY, name="g")
    await stored.functions.insert(a_function(key=other))
    await signing.choose(Target(key=other, qualifier=None), arn)
    page = signing.functions(*HERE, arn, after=None, limit=1)
    assert ([key.name for key in page.functions], page.more) == (["f"], True)
    page = signing.functions(*HERE, arn, after="f", limit=1)
    assert ([key.name for key in page.functions], page.more) == (["g"], False)
    assert (await refusal(signing.delete(*HERE, arn)))[0] == "ResourceConflictException"
    await signing.unchoose(TARGET)
    await signing.unchoose(TARGET)
    await stored.functions.delete(other)
    await signing.delete(*HERE, arn)
    assert signing.list(*HERE, after=None, limit=1).configs == []


async def test_unsigned_packages_are_deployed_unless_that_is_forbidden(
    attached: Attachments,
) -> None:
    signing = attached.code_signing
    signing.check_deployable(TARGET)
    assert await refusal(lambda: signing.check_deployable(TARGET, ABSENT)) == NO_CONFIG
    arn = (await signing.create(*HERE, WARN)).arn
    await signing.choose(TARGET, arn)
    signing.check_deployable(TARGET)
    await signing.update(*HERE, arn, CodeSigningChange(policy="Enforce"))
    for given in (None, arn):
        code, text = await refusal(
            lambda given=given: signing.check_deployable(TARGET, given)  # type: ignore[misc]
        )
        assert code == "CodeVerificationFailedException"
        assert text.startswith("Lambda cannot deploy the function.")


async def test_tags_are_kept_with_the_configuration(attached: Attachments) -> None:
    signing = attached.code_signing
    arn = (await signing.create(*HERE, replace(WARN, tags={"a": "1"}))).arn
    await signing.retag(*HERE, arn, add={"b": "2"})
    await signing.retag(*HERE, arn, remove=["a"])
    assert signing.get(*HERE, arn).tags == {"b": "2"}


async def test_loops_end_unless_they_are_allowed(attached: Attachments, stored: Engine) -> None:
    recursion = attached.recursion
    assert recursion.get(TARGET) == "Terminate"
    await recursion.put(TARGET, "Allow")
    assert recursion.get(TARGET) == "Allow"
    assert await refusal(lambda: recursion.get(NOBODY)) == NO_FUNCTION
    assert await refusal(recursion.put(NOBODY, "Allow")) == NO_FUNCTION
    await stored.functions.delete(FUNCTION_KEY)
    await stored.functions.insert(a_function())
    assert recursion.get(TARGET) == "Terminate"


async def test_runtimes_are_managed_per_version(attached: Attachments) -> None:
    management = attached.runtime_management
    version = Target(key=FUNCTION_KEY, qualifier="1")
    assert management.get(TARGET) == management.get(version) == RuntimeManagement()
    manual = RuntimeManagement(
        update_on="Manual", version_arn="arn:aws:lambda:us-east-1::runtime:1"
    )
    await management.put(version, manual)
    await management.put(TARGET, RuntimeManagement(update_on="FunctionUpdate"))
    assert management.get(version) == manual
    assert management.get(TARGET).update_on == "FunctionUpdate"
    assert management.get(LIVE) == RuntimeManagement()


@pytest.mark.parametrize("qualifier", ["2", "absent"])
async def test_only_versions_that_exist_are_managed(attached: Attachments, qualifier: str) -> None:
    management = attached.runtime_management
    target = Target(key=FUNCTION_KEY, qualifier=qualifier)
    absent = ("ResourceNotFoundException", f"Function not found: {target.arn}")
    assert await refusal(lambda: management.get(target)) == absent
    assert await refusal(management.put(target, RuntimeManagement())) == absent


async def test_a_runtime_version_is_given_when_and_only_when_it_is_manual(
    attached: Attachments,
) -> None:
    management = attached.runtime_management
    for config in (
        RuntimeManagement(update_on="Manual"),
        RuntimeManagement(version_arn="arn:aws:lambda:us-east-1::runtime:1"),
    ):
        assert (await refusal(management.put(TARGET, config)))[0] == (
            "InvalidParameterValueException"
        )
