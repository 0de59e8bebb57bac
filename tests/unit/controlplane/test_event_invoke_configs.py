"""Configurations of asynchronous invocation on the in-memory store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdad.controlplane.event_invoke_configs import EventInvokeChange, EventInvokeConfigs
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target
from lambdad.storage.base import Engine
from lambdad.testing.attachments import LIVE, TARGET, an_engine, refusal
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import FUNCTION_KEY, a_function

NO_FUNCTION = ("ResourceNotFoundException", "The function doesn't exist.")
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/b"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
BUCKET = "arn:aws:s3:::b"
ONCE = EventInvokeChange(retry_attempts=1)


@pytest.fixture
async def stored() -> Engine:
    return await an_engine(FakeClock())


@pytest.fixture
def configs(stored: Engine) -> EventInvokeConfigs:
    return EventInvokeConfigs(stored, locks=FunctionLocks(), clock=FakeClock())


async def test_put_forgets_what_is_not_given_and_update_keeps_it(
    configs: EventInvokeConfigs,
) -> None:
    await configs.put(
        TARGET, EventInvokeChange(event_age_s=60, on_success=QUEUE, destinations_given=True)
    )
    updated = await configs.update(TARGET, replace(ONCE, on_failure=TOPIC))
    assert (updated.retry_attempts, updated.event_age_s) == (1, 60)
    assert (updated.on_success, updated.on_failure) == (QUEUE, TOPIC)
    assert configs.get(TARGET) == updated
    put = await configs.put(TARGET, ONCE)
    assert (put.retry_attempts, put.event_age_s) == (1, None)
    assert (put.on_success, put.on_failure) == (None, None)


async def test_an_empty_destination_removes_the_destination(configs: EventInvokeConfigs) -> None:
    await configs.put(TARGET, EventInvokeChange(on_success=QUEUE, destinations_given=True))
    change = EventInvokeChange(on_success="", on_failure=BUCKET, destinations_given=True)
    config = await configs.update(TARGET, change)
    assert (config.on_success, config.on_failure) == (None, BUCKET)


async def test_each_qualifier_has_its_own(configs: EventInvokeConfigs) -> None:
    number = Target(key=FUNCTION_KEY, qualifier="1")
    latest = Target(key=FUNCTION_KEY, qualifier="$LATEST")
    for attempts, target in enumerate((TARGET, number, LIVE)):
        await configs.put(target, EventInvokeChange(retry_attempts=attempts))
    assert configs.get(latest).function_arn == FUNCTION_KEY.arn("$LATEST")
    page = configs.list(TARGET, after=None, limit=2)
    assert ([config.qualifier for config in page.configs], page.more) == (["$LATEST", "1"], True)
    page = configs.list(TARGET, after="1", limit=2)
    assert ([config.qualifier for config in page.configs], page.more) == (["live"], False)
    await configs.delete(number)
    assert configs.find(FUNCTION_KEY, "1") is None
    assert configs.get(LIVE).retry_attempts == 2


@pytest.mark.parametrize("qualifier", [None, "1", "live"])
async def test_one_that_is_not_there_is_not_found(
    configs: EventInvokeConfigs, qualifier: str | None
) -> None:
    target = Target(key=FUNCTION_KEY, qualifier=qualifier)
    arn = FUNCTION_KEY.arn(qualifier or "$LATEST")
    absent = (
        "ResourceNotFoundException",
        f"The function {arn} doesn't have an EventInvokeConfig",
    )
    assert await refusal(lambda: configs.get(target)) == absent
    assert await refusal(configs.delete(target)) == absent
    assert await refusal(configs.update(target, ONCE)) == absent


@pytest.mark.parametrize("qualifier", ["2", "absent"])
async def test_only_what_exists_is_configured(configs: EventInvokeConfigs, qualifier: str) -> None:
    target = Target(key=FUNCTION_KEY, qualifier=qualifier)
    assert await refusal(configs.put(target, ONCE)) == NO_FUNCTION
    assert await refusal(configs.update(target, ONCE)) == NO_FUNCTION
    gone = Target(key=replace(FUNCTION_KEY, name="gone"), qualifier=None)
    assert await refusal(lambda: configs.list(gone, after=None, limit=1)) == NO_FUNCTION


async def test_nothing_is_nothing_to_configure(configs: EventInvokeConfigs) -> None:
    nothing = (
        "InvalidParameterValueException",
        "You must specify at least one of error handling or destination setting.",
    )
    assert await refusal(configs.put(TARGET, EventInvokeChange())) == nothing
    assert await refusal(configs.update(TARGET, EventInvokeChange())) == nothing
    config = await configs.put(TARGET, EventInvokeChange(destinations_given=True))
    assert (config.on_success, config.on_failure) == (None, None)


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUS, BUCKET])
async def test_failures_go_to_queues_topics_buses_and_buckets(
    configs: EventInvokeConfigs, arn: str
) -> None:
    change = EventInvokeChange(on_failure=arn, destinations_given=True)
    assert (await configs.put(TARGET, change)).on_failure == arn


async def test_a_function_takes_outcomes_but_not_its_own(
    stored: Engine, configs: EventInvokeConfigs
) -> None:
    other = replace(FUNCTION_KEY, name="other")
    await stored.functions.insert(a_function(key=other))
    change = EventInvokeChange(on_success=other.arn(), destinations_given=True)
    assert (await configs.put(TARGET, change)).on_success == other.arn()
    for arn in (FUNCTION_KEY.arn(), FUNCTION_KEY.arn("live")):
        assert await refusal(configs.put(TARGET, replace(change, on_success=arn))) == (
            "InvalidParameterValueException",
            "You can't specify the function as a destination for itself.",
        )
    for arn in (other.arn("nobody"), replace(other, name="gone").arn()):
        assert await refusal(configs.put(TARGET, replace(change, on_success=arn))) == (
            "InvalidParameterValueException",
            f"The destination ARN {arn} is invalid.",
        )


@pytest.mark.parametrize(
    "arn",
    [
        BUCKET,
        "arn:aws:iam:us-east-1:000000000000:function:f",
        "arn:aws:events:us-east-1:000000000000:rule/r",
        "kafka://topic",
    ],
)
async def test_success_goes_nowhere_else(configs: EventInvokeConfigs, arn: str) -> None:
    change = EventInvokeChange(on_success=arn, destinations_given=True)
    assert await refusal(configs.put(TARGET, change)) == (
        "InvalidParameterValueException",
        (
            "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination="
            f"{arn}), onFailure=null) is invalid."
        ),
    )
    assert configs.find(FUNCTION_KEY, None) is None


async def test_it_goes_with_its_function(stored: Engine, configs: EventInvokeConfigs) -> None:
    await configs.put(LIVE, ONCE)
    await stored.functions.delete(FUNCTION_KEY)
    assert configs.find(FUNCTION_KEY, "live") is None
