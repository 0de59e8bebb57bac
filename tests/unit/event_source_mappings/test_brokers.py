"""What is decided about brokers without any: where they are, who comes, which form records have."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.event_source_mappings import SourceKind
from lambdad.event_source_mappings.access import Access, Certificate, Login, read_access
from lambdad.event_source_mappings.base import Problem
from lambdad.event_source_mappings.brokers import Brokers, KafkaBrokers, Speaks
from lambdad.event_source_mappings.filtering import MessageFilters
from lambdad.event_source_mappings.kafka_records import KafkaForm, KafkaRecord, record_of
from lambdad.event_source_mappings.rabbitmq_records import event_of, message_of
from lambdad.event_source_mappings.responses import failed_items
from lambdad.event_source_mappings.retrying import Policy
from lambdad.testing.broker_polling import Secrets
from lambdad.testing.event_sources import a_mapping

MSK = "arn:aws:kafka:us-east-1:000000000000:cluster/demo/0123abcd-1"
MQ = "arn:aws:mq:us-east-1:000000000000:broker:mail:b-0123abcd"


def self_managed(*servers: str, **settings: Any) -> Any:
    endpoints = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(servers)}}
    return a_mapping(
        SourceKind.SELF_MANAGED_KAFKA, SelfManagedEventSource=endpoints, Topics=["t"], **settings
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a:9092,b:9092", Speaks.KAFKA),
        ("SASL_SSL://a:9092", Speaks.KAFKA),
        ("amqp://a:5672", Speaks.RABBITMQ),
        ("amqps://a:5671", Speaks.RABBITMQ),
        ("stomp://a:61613", Speaks.OTHER),
        ("tcp://a:61616", Speaks.OTHER),
    ],
)
def test_an_address_says_what_is_behind_it(address: str, expected: Speaks) -> None:
    assert Brokers({MQ: address}).speaks(MQ) is expected
    assert Brokers({}).speaks(MQ) is None


def test_servers_come_from_the_mapping_unless_the_settings_have_them() -> None:
    mapping = self_managed("a:1", "b:2")
    assert Brokers({}).kafka(mapping) == KafkaBrokers(servers=["a:1", "b:2"])
    known = Brokers({"b:2": "SASL_PLAINTEXT://c:3, d:4"}).kafka(mapping)
    assert known == KafkaBrokers(servers=["c:3", "d:4"], protocol="SASL_PLAINTEXT")
    cluster = a_mapping(SourceKind.MSK, EventSourceArn=MSK, Topics=["t"])
    assert Brokers({}).kafka(cluster) is None
    assert Brokers({MSK: "e:5"}).kafka(cluster) == KafkaBrokers(servers=["e:5"])


@pytest.mark.parametrize(
    ("servers", "here"),
    [
        (["127.0.0.1:1", "localhost:2", "[::1]:3"], True),
        (["127.0.0.1:1", "10.0.0.1:2"], False),
        (["broker.example.com:1"], False),
    ],
)
def test_only_addresses_of_this_host_are_here(servers: list[str], here: bool) -> None:
    assert KafkaBrokers(servers=servers).are_here is here


async def test_secrets_become_what_is_shown_at_a_broker() -> None:
    secrets = Secrets(
        login={"username": "alice", "password": "p"},
        ca={"certificate": "CA"},
        own={"certificate": "C", "privateKey": "K", "privateKeyPassword": "kp"},
    )
    given = {
        "SASL_SCRAM_256_AUTH": secrets.arn("login"),
        "SERVER_ROOT_CA_CERTIFICATE": secrets.arn("ca"),
        "CLIENT_CERTIFICATE_TLS_AUTH": secrets.arn("own"),
        "VPC_SUBNET": "subnet:subnet-1",
        "VIRTUAL_HOST": "/mail",
    }
    shown = [{"Type": kind, "URI": uri} for kind, uri in given.items()]
    mapping = self_managed("a:1", SourceAccessConfigurations=shown)
    assert await read_access(mapping, secrets) == Access(
        login=Login(mechanism="SCRAM-SHA-256", username="alice", password="p"),
        certificate=Certificate(certificate="C", private_key="K", password="kp"),
        root_ca="CA",
        virtual_host="/mail",
    )


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        ({}, "Cannot access secret manager value"),
        ({"s": {"username": "alice"}}, "has no password"),
        ({"s": ["alice"]}, "is not a JSON object"),
    ],
)
async def test_a_secret_that_is_not_enough_is_a_problem(secrets: Any, text: str) -> None:
    shown = [{"Type": "BASIC_AUTH", "URI": Secrets.arn("s")}]
    with pytest.raises(Problem, match=text):
        await read_access(self_managed("a:1", SourceAccessConfigurations=shown), Secrets(**secrets))


def a_record(**given: Any) -> KafkaRecord:
    return KafkaRecord(
        **{
            "topic": "t",
            "partition": 0,
            "offset": 7,
            "timestamp": 5,
            "timestamp_type": 0,
            "key": None,
            "value": b"{}",
            **given,
        }
    )


@given(st.binary(max_size=8), st.one_of(st.none(), st.binary(max_size=8)))
def test_bytes_of_headers_are_those_of_java(value: bytes, key: bytes | None) -> None:
    record = record_of(a_record(headers=[("h", value)], key=key), read_s=0.0)
    [[numbers]] = [list(header.values()) for header in json.loads(record.document)["headers"]]
    assert all(-128 <= number <= 127 for number in numbers)
    assert bytes(number % 256 for number in numbers) == value
    assert ("key" in record.record) is (key is not None)


def test_a_record_without_a_time_ages_from_when_it_was_read() -> None:
    assert record_of(a_record(timestamp=-1), read_s=42.0).arrived_s == 42.0
    appended = record_of(a_record(timestamp=1_500, timestamp_type=1), read_s=42.0)
    assert (appended.arrived_s, appended.record["timestampType"]) == (1.5, "LOG_APPEND_TIME")


def test_a_function_names_partition_and_offset() -> None:
    form = KafkaForm(self_managed("a:1"), ["a:1"], "t-0")

    def answer(*identifiers: Any) -> bytes:
        items = [{"itemIdentifier": identifier} for identifier in identifiers]
        return json.dumps({"batchItemFailures": items}).encode()

    def failed(payload: bytes) -> frozenset[str] | None:
        return failed_items(payload, {"7", "8"}, form.identify)

    assert failed(answer({"partition": "t-0", "offset": 8})) == {"8"}
    assert failed(answer({"partition": "t-1", "offset": 8})) is None
    assert failed(answer({"partition": "t-0", "offset": "8"})) is None
    assert failed(answer({"partition": "t-0", "offset": True})) is None
    assert failed(answer("8")) is None


def test_a_destination_bounds_the_retries_of_kafka() -> None:
    form = KafkaForm(self_managed("a:1"), ["a:1"], "t-0")
    told = {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:::q"}}}
    assert Policy.of({}, form).attempts_max == -1
    assert Policy.of(told, form).attempts_max == 10
    assert Policy.of({**told, "MaximumRetryAttempts": 3}, form).attempts_max == 3


@pytest.mark.parametrize(
    ("pattern", "value", "passes"),
    [
        ({"value": {"a": ["x"]}}, b'{"a": "x"}', True),
        ({"value": {"a": ["x"]}}, b'{"a": "y"}', False),
        ({"value": ["plain"]}, b"plain", True),
        ({"value": ["plain"]}, b"other", False),
        # Another form than the pattern's, or no text: the metadata decides.
        ({"value": {"a": ["x"]}}, b"plain", True),
        ({"value": ["plain"]}, b'{"a": "x"}', True),
        ({"value": {"a": ["x"]}}, b"\xff", True),
        ({"value": {"a": ["x"]}, "topic": ["u"]}, b"plain", False),
        ({"value": {"a": ["x"]}}, None, False),
        ({"value": [{"exists": False}]}, None, True),
        ({"topic": ["t"]}, b"anything", True),
    ],
)
def test_filters_of_messages(pattern: Any, value: bytes | None, passes: bool) -> None:
    assert MessageFilters([pattern]).passes({"topic": "t"}, {"value": value}) is passes
    assert MessageFilters([]).passes({"topic": "t"}, {"value": value})


@pytest.mark.parametrize(
    ("hour", "shown"), [(0, "12:05:09 AM"), (11, "11:05:09 AM"), (12, "12:05:09 PM")]
)
def test_times_of_messages_are_those_of_java(hour: int, shown: str) -> None:
    moment = datetime(2026, 11, 2, hour, 5, 9, tzinfo=UTC)
    message = message_of({"timestamp": moment}, b"", tag=1, redelivered=False)
    assert message.described["basicProperties"]["timestamp"] == f"Nov 2, 2026, {shown}"


def test_an_event_has_the_messages_of_its_queue() -> None:
    messages = [message_of({}, body, tag=1, redelivered=True) for body in (b"a", b"b")]
    event = json.loads(event_of(messages, source_arn=MQ, queue="q", virtual_host="/"))
    assert event["eventSource"] == "aws:rmq"
    assert [each["data"] for each in event["rmqMessagesByQueue"]["q::/"]] == ["YQ==", "Yg=="]
