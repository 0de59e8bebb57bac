"""Event source mappings on the in-memory store."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from lambdad.controlplane.event_source_mappings import (
    EventSourceMappings,
    MappingChange,
    NewMapping,
)
from lambdad.controlplane.references import Target
from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.event_source_mappings import EventSourceMapping, MappingState
from lambdad.storage.base import Engine
from lambdad.testing.attachments import LIVE, TARGET, an_engine, refusal
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import FUNCTION_KEY

HERE = (FUNCTION_KEY.account_id, FUNCTION_KEY.region)
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
GONE = ("ResourceNotFoundException", "The resource you requested does not exist.")


class GatedPollers:
    """Pollers that follow when the test lets them."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.refusal: str | None = None
        self.followed: list[MappingState] = []

    async def check(self, mapping: EventSourceMapping) -> None:
        if self.refusal is not None:
            raise InvalidParameterValueException(self.refusal)

    async def follow(self, mapping: EventSourceMapping) -> None:
        self.followed.append(mapping.state)
        await self.gate.wait()


async def test_what_cannot_be_polled_is_not_stored() -> None:
    pollers = GatedPollers()
    pollers.refusal = "There is no such queue."
    async with mappings_of(pollers=pollers) as mappings:
        with pytest.raises(InvalidParameterValueException, match=pollers.refusal):
            await mappings.create(new())
        assert mappings.list(*HERE, limit=10).mappings == []


def new(target: Target = TARGET, **settings: Any) -> NewMapping:
    return NewMapping(target=target, settings={"EventSourceArn": QUEUE, **settings})


@asynccontextmanager
async def mappings_of(
    stored: Engine | None = None, pollers: GatedPollers | None = None
) -> AsyncIterator[EventSourceMappings]:
    clock = FakeClock()
    async with EventSourceMappings(
        stored or await an_engine(clock), clock=clock, pollers=pollers
    ) as mappings:
        yield mappings


@pytest.fixture
async def mappings() -> AsyncIterator[EventSourceMappings]:
    async with mappings_of() as opened:
        yield opened


async def state_of(mappings: EventSourceMappings, uuid: str) -> MappingState:
    return (await mappings.get(*HERE, uuid)).state


async def test_a_mapping_is_enabled_by_itself(mappings: EventSourceMappings) -> None:
    mapping = await mappings.create(new())
    assert mapping.state is MappingState.CREATING
    assert mapping.function_arn == FUNCTION_KEY.arn()
    assert mapping.arn.endswith(f":event-source-mapping:{mapping.uuid}")
    assert re.fullmatch(r"[0-9a-f-]{36}", mapping.uuid)
    assert await state_of(mappings, mapping.uuid) is MappingState.ENABLED


async def test_one_that_is_not_to_be_polled_is_disabled(mappings: EventSourceMappings) -> None:
    mapping = await mappings.create(replace(new(), enabled=False))
    assert await state_of(mappings, mapping.uuid) is MappingState.DISABLED


async def test_updates_pass_through_the_states_of_aws(mappings: EventSourceMappings) -> None:
    uuid = (await mappings.create(new())).uuid
    passed = []
    for enabled in (None, False, False, True):
        change = MappingChange(settings={"BatchSize": 5}, enabled=enabled)
        passed.append((await mappings.update(*HERE, uuid, change)).state.value)
        passed.append((await state_of(mappings, uuid)).value)
    assert passed == (
        [
            "Updating",
            "Enabled",
            "Disabling",
            "Disabled",
            "Updating",
            "Disabled",
            "Enabling",
            "Enabled",
        ]
    )


async def test_a_deleted_mapping_is_deleting_and_then_gone(mappings: EventSourceMappings) -> None:
    uuid = (await mappings.create(new())).uuid
    assert (await mappings.delete(*HERE, uuid)).state is MappingState.DELETING
    assert await refusal(mappings.get(*HERE, uuid)) == GONE
    assert await refusal(mappings.delete(*HERE, uuid)) == GONE
    assert (await mappings.create(new())).uuid != uuid


async def test_what_passes_is_in_use_until_the_pollers_have_followed() -> None:
    pollers = GatedPollers()
    async with mappings_of(pollers=pollers) as mappings:
        uuid = (await mappings.create(new())).uuid
        in_use = "Cannot {} the event source mapping because it is in use."
        change = MappingChange(settings={"BatchSize": 5})
        assert await refusal(mappings.update(*HERE, uuid, change)) == (
            "ResourceInUseException",
            in_use.format("update"),
        )
        assert await refusal(mappings.delete(*HERE, uuid)) == (
            "ResourceInUseException",
            in_use.format("delete"),
        )
        assert await state_of(mappings, uuid) is MappingState.CREATING


@pytest.mark.parametrize("last", [MappingState.CREATING, MappingState.DELETING])
async def test_a_restart_takes_up_what_was_under_way(last: MappingState) -> None:
    stored = await an_engine(FakeClock())
    async with mappings_of(stored) as mappings:
        uuid = (await mappings.create(new())).uuid
        await mappings.get(*HERE, uuid)
    waiting = GatedPollers()
    async with mappings_of(stored, waiting) as mappings:
        if last is MappingState.DELETING:
            await mappings.delete(*HERE, uuid)
        else:
            uuid = (await mappings.create(new(LIVE))).uuid
        assert await state_of(mappings, uuid) is last
    async with mappings_of(stored) as mappings:
        if last is MappingState.DELETING:
            assert await refusal(mappings.get(*HERE, uuid)) == GONE
        else:
            assert await state_of(mappings, uuid) is MappingState.ENABLED


async def test_one_mapping_per_source_and_qualifier(mappings: EventSourceMappings) -> None:
    first = await mappings.create(new())
    assert await refusal(mappings.create(new())) == (
        "ResourceConflictException",
        (
            f'An event source mapping with SQS arn (" {QUEUE} ") and function (" f ") already '
            f"exists. Please update or delete the existing mapping with UUID {first.uuid}"
        ),
    )
    live = await mappings.create(new(LIVE))
    assert live.function_arn == FUNCTION_KEY.arn("live")
    await mappings.get(*HERE, live.uuid)
    change = MappingChange(settings={}, target=TARGET)
    assert (await refusal(mappings.update(*HERE, live.uuid, change)))[0] == (
        "ResourceConflictException"
    )


async def test_two_creations_at_once_make_one_mapping(mappings: EventSourceMappings) -> None:
    outcomes = await asyncio.gather(
        *(mappings.create(new()) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, EventSourceMapping) for outcome in outcomes) == 1


async def test_duplicates_of_streams_and_topics_have_texts_of_their_own(
    mappings: EventSourceMappings,
) -> None:
    stream = new(EventSourceArn=STREAM, StartingPosition="LATEST")
    first = await mappings.create(stream)
    assert await refusal(mappings.create(stream)) == (
        "ResourceConflictException",
        (
            f'The event source arn (" {STREAM} ") and function (" f ") provided mapping already '
            f"exists. Please update or delete the existing mapping with UUID {first.uuid}"
        ),
    )
    settings = {
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["h:1", "i:2"]}},
        "SourceAccessConfigurations": [
            {"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s"}
        ],
        "StartingPosition": "LATEST",
        "Topics": ["t"],
    }
    kafka = NewMapping(target=TARGET, settings=settings)
    second = await mappings.create(kafka)
    assert await refusal(mappings.create(kafka)) == (
        "ResourceConflictException",
        (
            f'An event source mapping with event source ("h:1,i:2"), function ('
            f'"{FUNCTION_KEY.arn()}"), topics ("t") already exists. Please update or delete the '
            f"existing mapping with UUID {second.uuid}"
        ),
    )
    await mappings.create(replace(kafka, settings={**settings, "Topics": ["u"]}))


@pytest.mark.parametrize("qualifier", ["2", "absent"])
async def test_the_function_must_exist(mappings: EventSourceMappings, qualifier: str) -> None:
    absent = ("InvalidParameterValueException", "Function does not exist")
    target = Target(key=FUNCTION_KEY, qualifier=qualifier)
    assert await refusal(mappings.create(new(target))) == absent
    uuid = (await mappings.create(new())).uuid
    change = MappingChange(settings={}, target=target)
    assert await refusal(mappings.update(*HERE, uuid, change)) == absent


async def test_a_refused_update_changes_nothing(mappings: EventSourceMappings) -> None:
    uuid = (await mappings.create(new())).uuid
    before = await mappings.get(*HERE, uuid)
    change = MappingChange(settings={"BatchSize": 11})
    assert (await refusal(mappings.update(*HERE, uuid, change)))[0] == (
        "InvalidParameterValueException"
    )
    assert await mappings.get(*HERE, uuid) == before


async def test_listings_choose_by_function_and_source(mappings: EventSourceMappings) -> None:
    queue, live = await mappings.create(new()), await mappings.create(new(LIVE))
    stream = await mappings.create(new(EventSourceArn=STREAM, StartingPosition="LATEST"))

    def listed(**options: Any) -> set[str]:
        return {mapping.uuid for mapping in mappings.list(*HERE, limit=10, **options).mappings}

    assert listed() == {queue.uuid, live.uuid, stream.uuid}
    assert listed(target=TARGET) == {queue.uuid, stream.uuid}
    assert listed(target=LIVE) == {live.uuid}
    assert listed(source_arn=QUEUE) == {queue.uuid, live.uuid}
    assert listed(target=TARGET, source_arn=QUEUE) == {queue.uuid}
    page = mappings.list(*HERE, limit=2)
    rest = mappings.list(*HERE, limit=2, after=page.mappings[-1].uuid)
    assert (len(page.mappings), page.more, len(rest.mappings), rest.more) == (2, True, 1, False)
    assert not mappings.list("111111111111", HERE[1], limit=10).mappings
    assert not mappings.list(HERE[0], "eu-west-1", limit=10).mappings


async def test_tags_come_and_go_without_a_change_of_state(mappings: EventSourceMappings) -> None:
    made = await mappings.create(replace(new(), tags={"a": "1"}))
    await mappings.retag(*HERE, made.uuid, add={"b": "2"})
    await mappings.retag(*HERE, made.uuid, remove=["a", "x"])
    assert mappings.tags(*HERE, made.uuid) == {"b": "2"}
    assert await state_of(mappings, made.uuid) is MappingState.ENABLED
    too_many = {str(number): "x" for number in range(51)}
    assert await refusal(mappings.retag(*HERE, made.uuid, add=too_many)) == (
        "InvalidParameterValueException",
        "Number of tags exceeds resource tag limit.",
    )
    assert (await refusal(mappings.retag(*HERE, "x", add={"a": "1"})))[1] == (
        "Event source mapping not found: "
        "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:x"
    )


async def test_a_mapping_outlives_its_function() -> None:
    stored = await an_engine(FakeClock())
    async with mappings_of(stored) as mappings:
        uuid = (await mappings.create(new())).uuid
        await stored.functions.delete(FUNCTION_KEY)
        assert await state_of(mappings, uuid) is MappingState.ENABLED
        await mappings.delete(*HERE, uuid)
        assert await refusal(mappings.get(*HERE, uuid)) == GONE


async def test_tags_and_the_end_of_a_transition_do_not_meet() -> None:
    pollers = GatedPollers()
    async with mappings_of(pollers=pollers) as mappings:
        uuid = (await mappings.create(new())).uuid
        pollers.gate.set()
        await asyncio.gather(
            *(mappings.retag(*HERE, uuid, add={str(number): "x"}) for number in range(20))
        )
        assert len(mappings.tags(*HERE, uuid)) == 20
