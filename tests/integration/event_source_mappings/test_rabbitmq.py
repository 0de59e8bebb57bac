"""Queues of a real RabbitMQ broker as event sources."""

from __future__ import annotations

import base64
import itertools
import json
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import aiormq
import pytest
from aiormq import spec

from lambdad.domain.event_source_mappings import EventSourceMapping, SourceKind
from lambdad.event_source_mappings.access import read_access
from lambdad.event_source_mappings.brokers import Brokers
from lambdad.event_source_mappings.pollers.rabbitmq import RabbitMqPoller
from lambdad.testing.broker_polling import Polling, Secrets
from lambdad.testing.brokers import PASSWORD, USER, RabbitMqBroker
from lambdad.testing.event_sources import a_mapping

pytestmark = pytest.mark.slow

_NUMBERS = itertools.count(1)
ARN = "arn:aws:mq:us-east-1:000000000000:broker:mail:b-0123abcd"
LOGIN = {"Type": "BASIC_AUTH", "URI": Secrets.arn("login")}


class Broker:
    """Queues, what is sent to them, and mappings of them."""

    def __init__(self, broker: RabbitMqBroker) -> None:
        self.address = broker.address

    async def queue(self, **arguments: Any) -> str:
        name = f"queue-{next(_NUMBERS)}"
        async with await self._connect() as connection:
            channel = await connection.channel()
            await channel.queue_declare(name, durable=True, arguments=arguments)
        return name

    async def send(self, queue: str, *bodies: bytes, **properties: Any) -> None:
        async with await self._connect() as connection:
            channel = await connection.channel()
            for body in bodies:
                await channel.basic_publish(
                    body, routing_key=queue, properties=spec.Basic.Properties(**properties)
                )

    async def left(self, queue: str) -> int:
        """Messages that nobody has acknowledged, once no consumer has any in hand."""
        async with await self._connect() as connection:
            channel = await connection.channel()
            found = await channel.queue_declare(queue, durable=True, passive=True)
            return int(found.message_count or 0)

    async def delete(self, queue: str) -> None:
        async with await self._connect() as connection:
            await (await connection.channel()).queue_delete(queue)

    def mapping(self, queue: str, **settings: Any) -> EventSourceMapping:
        given = {"EventSourceArn": ARN, "Queues": [queue], "SourceAccessConfigurations": [LOGIN]}
        return a_mapping(SourceKind.MQ, **{**given, **settings})

    def poller(self, polling: Polling, mapping: EventSourceMapping) -> RabbitMqPoller:
        polling.secrets.secrets.setdefault("login", {"username": USER, "password": PASSWORD})
        return RabbitMqPoller(
            polling.tools(mapping),
            brokers=Brokers({ARN: f"amqp://{self.address}"}),
            access=partial(read_access, mapping, polling.secrets),
        )

    async def _connect(self) -> Any:
        return await aiormq.connect(f"amqp://{USER}:{PASSWORD}@{self.address}/{quote('/', '')}")


@pytest.fixture
def broker(rabbitmq_broker: RabbitMqBroker) -> Broker:
    return Broker(rabbitmq_broker)


def bodies(polling: Polling) -> list[str]:
    return [
        base64.b64decode(message["data"]).decode()
        for event in polling.door.events
        for messages in event["rmqMessagesByQueue"].values()
        for message in messages
    ]


async def test_a_message_arrives_in_the_form_of_aws_and_leaves_the_queue(broker: Broker) -> None:
    queue = await broker.queue()
    await broker.send(
        queue,
        b"hello",
        content_type="text/plain",
        headers={"name": "va\u00e9", "count": 10, "yes": True, "more": {"x": "y"}, "all": ["z"]},
        delivery_mode=2,
        priority=34,
        expiration="60000",
        message_id="m-1",
        timestamp=datetime(1970, 1, 1, 0, 33, 41, tzinfo=UTC),
        message_type="greeting",
        user_id=USER,
    )
    polling = Polling()
    async with polling.running(broker.poller(polling, broker.mapping(queue))):
        await polling.until(lambda: polling.door.events)
    assert polling.door.events == [
        {
            "eventSource": "aws:rmq",
            "eventSourceArn": ARN,
            "rmqMessagesByQueue": {
                f"{queue}::/": [
                    {
                        "basicProperties": {
                            "contentType": "text/plain",
                            "contentEncoding": None,
                            "headers": {
                                "name": {"bytes": [118, 97, -61, -87]},
                                "count": 10,
                                "yes": True,
                                "more": {"x": {"bytes": [121]}},
                                "all": [{"bytes": [122]}],
                            },
                            "deliveryMode": 2,
                            "priority": 34,
                            "correlationId": None,
                            "replyTo": None,
                            "expiration": "60000",
                            "messageId": "m-1",
                            "timestamp": "Jan 1, 1970, 12:33:41 AM",
                            "type": "greeting",
                            "userId": USER,
                            "appId": None,
                            "clusterId": None,
                            "bodySize": 5,
                        },
                        "redelivered": False,
                        "data": "aGVsbG8=",
                    }
                ]
            },
        }
    ]
    assert await broker.left(queue) == 0
    assert polling.results.texts == []


async def test_a_failed_batch_comes_back_whole_and_in_order(broker: Broker) -> None:
    failures: list[int] = []

    def answer(event: Any) -> None:
        if not failures:
            failures.append(1)
            raise ValueError("no")

    queue = await broker.queue()
    texts = [str(number) for number in range(6)]
    await broker.send(queue, *(text.encode() for text in texts))
    polling = Polling(answer)
    async with polling.running(broker.poller(polling, broker.mapping(queue, BatchSize=3))):
        await polling.until(lambda: len(bodies(polling)) == 9)
    assert bodies(polling) == ["0", "1", "2", *texts]
    again = polling.door.events[1]["rmqMessagesByQueue"][f"{queue}::/"]
    assert [message["redelivered"] for message in again] == [True, True, True]
    assert polling.results.texts == ["PROBLEM: Function call failed", None]
    assert await broker.left(queue) == 0


async def test_a_window_gathers_and_filters_acknowledge_what_they_hold_back(
    broker: Broker,
) -> None:
    queue = await broker.queue()
    await broker.send(queue, b'{"kind": "other"}', b'{"kind": "wanted", "n": 1}')
    pattern = json.dumps({"data": {"kind": ["wanted"]}})
    polling = Polling()
    mapping = broker.mapping(
        queue,
        MaximumBatchingWindowInSeconds=2,
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )
    async with polling.running(broker.poller(polling, mapping)):
        await broker.send(queue, b'{"kind": "wanted", "n": 2}')
        await polling.until(lambda: polling.door.events)
    assert [json.loads(body)["n"] for body in bodies(polling)] == [1, 2]
    assert len(polling.door.events) == 1
    assert await broker.left(queue) == 0


async def test_what_a_function_still_works_on_is_not_lost(broker: Broker) -> None:
    queue = await broker.queue()
    await broker.send(queue, b"in hand")
    polling = Polling()
    polling.door.gate.clear()
    poller = broker.poller(polling, broker.mapping(queue))
    async with polling.running(poller):
        await polling.until(lambda: polling.door.running)
        poller.stop()
        polling.door.gate.set()
    assert bodies(polling) == ["in hand"]
    assert await broker.left(queue) == 0


async def test_what_is_wrong_with_the_broker_is_said_until_it_is_right(broker: Broker) -> None:
    queue = await broker.queue()
    polling = Polling()
    polling.secrets.secrets["wrong"] = {"username": USER, "password": "rabbit"}
    wrong = {"Type": "BASIC_AUTH", "URI": Secrets.arn("wrong")}
    elsewhere = {"Type": "VIRTUAL_HOST", "URI": "/elsewhere"}
    for settings, expected in (
        ({"SourceAccessConfigurations": [wrong]}, "EVENT_SOURCE_AUTHN_ERROR"),
        ({"SourceAccessConfigurations": [LOGIN, elsewhere]}, "EVENT_SOURCE_AUTHZ_ERROR"),
        ({"Queues": ["nowhere"]}, "ESM_CONFIG_NOT_VALID"),
    ):
        polling.results.texts.clear()
        mapping = broker.mapping(queue, **settings)
        async with polling.running(broker.poller(polling, mapping)):
            await polling.until(lambda: polling.results.texts)
        assert str(polling.results.texts[0]).startswith(f"PROBLEM: {expected}: ")
    polling.results.texts.clear()
    async with polling.running(broker.poller(polling, broker.mapping(queue))):
        await broker.send(queue, b"x")
        await polling.until(lambda: bodies(polling) == ["x"])
        await broker.delete(queue)
        await polling.until(lambda: polling.results.texts)
