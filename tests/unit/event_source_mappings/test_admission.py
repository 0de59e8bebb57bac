"""Which sources with brokers a mapping may be made of, and what stands for those that cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.event_source_mappings import SourceKind
from lambdad.event_source_mappings.admission import Admission
from lambdad.event_source_mappings.brokers import Brokers
from lambdad.event_source_mappings.pollers.unable import UnablePoller
from lambdad.storage.registry import engine
from lambdad.testing.broker_polling import Polling, Secrets
from lambdad.testing.clock import FakeClock
from lambdad.testing.event_sources import a_mapping

MSK = "arn:aws:kafka:us-east-1:000000000000:cluster/demo/0123abcd-1"
MQ = "arn:aws:mq:us-east-1:000000000000:broker:mail:b-0123abcd"
DOCUMENTS = "arn:aws:rds:us-east-1:000000000000:cluster:documents"


async def check(kind: SourceKind, arn: str, table: dict[str, str]) -> None:
    store = engine("memory")(Path("/nowhere"), FakeClock())
    admission = Admission(store.functions, lambda account_id: Secrets(), Brokers(table))
    await admission.check(a_mapping(kind, EventSourceArn=arn))


@pytest.mark.parametrize(
    ("kind", "arn", "address"),
    [
        (SourceKind.MSK, MSK, "a:9092"),
        (SourceKind.MQ, MQ, "amqp://a:5672"),
    ],
)
async def test_brokers_that_the_settings_know_are_admitted_unasked(
    kind: SourceKind, arn: str, address: str
) -> None:
    await check(kind, arn, {arn: address})


@pytest.mark.parametrize(
    ("kind", "arn", "table", "text"),
    [
        (SourceKind.MSK, MSK, {}, "does not know where the brokers"),
        (SourceKind.MSK, MSK, {MSK: "amqp://a:5672"}, "is RabbitMQ .* and not Kafka"),
        (SourceKind.MQ, MQ, {}, "does not know where the brokers"),
        (SourceKind.MQ, MQ, {MQ: "stomp://a:61613"}, "not those of ActiveMQ"),
        (SourceKind.DOCUMENTDB, DOCUMENTS, {}, "Amazon DocumentDB .* are not polled"),
    ],
)
async def test_what_cannot_be_polled_is_refused_with_a_remedy(
    kind: SourceKind, arn: str, table: dict[str, str], text: str
) -> None:
    with pytest.raises(InvalidParameterValueException, match=text):
        await check(kind, arn, table)


async def test_a_poller_without_its_client_says_so_and_waits() -> None:
    polling = Polling()
    mapping: Any = replace(a_mapping(SourceKind.MSK), last_processing_result="OK")
    poller = UnablePoller(polling.tools(mapping), "Run: pip install 'lambdad[kafka]'.")
    async with polling.running(poller):
        await polling.until(lambda: polling.results.texts)
    assert polling.results.texts == ["PROBLEM: Run: pip install 'lambdad[kafka]'."]
