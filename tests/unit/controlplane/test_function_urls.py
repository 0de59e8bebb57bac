"""Function URL configurations on the in-memory store."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lambdad.controlplane.function_urls import FunctionUrls, UrlChange
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target
from lambdad.storage.base import Engine
from lambdad.testing.attachments import LIVE, TARGET, an_engine, refusal
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import FUNCTION_KEY, a_function

NO_FUNCTION = ("ResourceNotFoundException", "Function does not exist")
NO_URL = ("ResourceNotFoundException", "The resource you requested does not exist.")
PUBLIC = UrlChange(auth_type="NONE")


class World:
    def __init__(self, stored: Engine, clock: FakeClock) -> None:
        self.stored, self.clock = stored, clock
        self.urls = FunctionUrls(stored, locks=FunctionLocks(), clock=clock)


@pytest.fixture
async def world() -> World:
    clock = FakeClock()
    return World(await an_engine(clock), clock)


async def test_a_url_has_the_defaults_of_aws(world: World) -> None:
    url = await world.urls.create(TARGET, PUBLIC)
    assert re.fullmatch(r"[a-z2-7]{32}", url.url_id)
    assert (url.function_arn, url.auth_type, url.invoke_mode, url.cors) == (
        FUNCTION_KEY.arn(),
        "NONE",
        "BUFFERED",
        None,
    )
    assert url.created == url.modified == "2025-11-24T16:00:00.000000Z"
    assert world.urls.get(TARGET) == url


async def test_function_and_alias_have_a_url_each(world: World) -> None:
    own = await world.urls.create(TARGET, PUBLIC)
    live = await world.urls.create(LIVE, PUBLIC)
    assert live.function_arn == FUNCTION_KEY.arn("live")
    assert own.url_id != live.url_id
    await world.urls.delete(TARGET)
    assert world.urls.get(LIVE) == live
    assert await refusal(lambda: world.urls.get(TARGET)) == NO_URL


async def test_a_second_url_is_refused(world: World) -> None:
    first = await world.urls.create(LIVE, PUBLIC)
    assert await refusal(world.urls.create(LIVE, PUBLIC)) == (
        "ResourceConflictException",
        (
            f"Failed to create function url config for [functionArn = {FUNCTION_KEY.arn('live')}]. "
            "Error message:  FunctionUrlConfig exists for this Lambda function"
        ),
    )
    assert world.urls.get(LIVE) == first


async def test_an_update_leaves_what_is_not_given_and_the_address(world: World) -> None:
    cors = {"AllowOrigins": ["*"], "MaxAge": 1}
    made = await world.urls.create(TARGET, replace(PUBLIC, cors=cors))
    world.clock.advance(1)
    changed = await world.urls.update(TARGET, UrlChange(invoke_mode="RESPONSE_STREAM"))
    assert changed == replace(
        made,
        invoke_mode="RESPONSE_STREAM",
        modified="2025-11-24T16:00:01.000000Z",
        revision=changed.revision,
    )
    assert (await world.urls.update(TARGET, UrlChange(cors={}))).cors is None


@pytest.mark.parametrize("qualifier", ["absent", "2"])
async def test_what_does_not_exist_gets_no_url(world: World, qualifier: str) -> None:
    absent = Target(key=FUNCTION_KEY, qualifier=qualifier)
    gone = Target(key=replace(FUNCTION_KEY, name="gone"), qualifier=None)
    for target in (absent, gone):
        assert await refusal(world.urls.create(target, PUBLIC)) == NO_FUNCTION
        assert await refusal(world.urls.update(target, PUBLIC)) == NO_FUNCTION
        assert await refusal(world.urls.delete(target)) == NO_URL
    assert await refusal(lambda: world.urls.list(gone, after=None, limit=1)) == NO_FUNCTION
    assert await refusal(world.urls.update(TARGET, PUBLIC)) == NO_URL


async def test_a_listing_goes_on_behind_its_last_item(world: World) -> None:
    await world.urls.create(LIVE, PUBLIC)
    await world.urls.create(TARGET, PUBLIC)
    other = replace(FUNCTION_KEY, name="f2")
    await world.stored.functions.insert(a_function(key=other))
    await world.urls.create(Target(key=other, qualifier=None), PUBLIC)
    first = world.urls.list(TARGET, after=None, limit=1)
    assert ([url.alias for url in first.urls], first.more) == ([None], True)
    second = world.urls.list(TARGET, after="$LATEST", limit=1)
    assert ([url.alias for url in second.urls], second.more) == (["live"], False)


async def test_a_url_is_found_by_its_host_name_as_long_as_it_is_there(world: World) -> None:
    url = await world.urls.create(TARGET, PUBLIC)
    assert world.urls.by_id(url.url_id) == url
    later = await world.urls.create(LIVE, PUBLIC)
    assert world.urls.by_id(later.url_id) == later
    assert world.urls.by_id("a" * 32) is None
    await world.urls.delete(LIVE)
    assert world.urls.by_id(later.url_id) is None
    await world.stored.functions.delete(FUNCTION_KEY)
    assert world.urls.by_id(url.url_id) is None
    assert await refusal(lambda: world.urls.get(TARGET)) == NO_URL


async def test_an_address_of_before_is_not_that_of_a_new_url(world: World) -> None:
    old = await world.urls.create(TARGET, PUBLIC)
    assert world.urls.by_id(old.url_id) == old
    await world.stored.functions.delete(FUNCTION_KEY)
    await world.stored.functions.insert(a_function())
    new = await world.urls.create(TARGET, PUBLIC)
    assert world.urls.by_id(old.url_id) is None
    assert world.urls.by_id(new.url_id) == new
