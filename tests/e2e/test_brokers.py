"""Functions get what is in Kafka and RabbitMQ, whenever the daemon dies."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiormq
import boto3
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from botocore.config import Config

from lambdad.testing import event_types
from lambdad.testing.brokers import PASSWORD, USER, KafkaBroker, RabbitMqBroker
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

COUNT = 60
PARTITIONS = 2
DEADLINE_S = 90.0
MSK_ARN = "arn:aws:kafka:us-east-1:000000000000:cluster/orders/0123abcd-1"
MQ_ARN = "arn:aws:mq:us-east-1:000000000000:broker:orders:b-0123abcd"

# Without confinement a function can tell the test on the disk what it got.
HANDLER = """
import base64, json, os, time
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def handler(event, context):
    with open(os.environ["LEDGER"] + "." + event["eventSource"].replace(":", "_"), "w") as last:
        json.dump(event, last)
    batches = event.get("records") or event["rmqMessagesByQueue"]
    for name, records in batches.items():
        for record in records:
            text = base64.b64decode(record.get("value") or record.get("data")).decode()
            os.write(ledger, f"{event['eventSource']} {text}\\n".encode())
    time.sleep(0.05)
"""


def template(kafka: KafkaBroker, secret: str) -> str:
    """A stack that maps one topic twice, as self-managed and as MSK's, and one queue."""
    login = [{"Type": "BASIC_AUTH", "URI": secret}]
    common = {"FunctionName": "orders", "BatchSize": 5}
    own = {
        "SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": [kafka.guarded]}},
        "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "own"},
        "SourceAccessConfigurations": login,
        "StartingPosition": "TRIM_HORIZON",
        "Topics": ["orders"],
    }
    managed = {
        "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "managed"},
        "EventSourceArn": MSK_ARN,
        "SourceAccessConfigurations": [{"Type": "SASL_SCRAM_512_AUTH", "URI": secret}],
        "StartingPosition": "TRIM_HORIZON",
        "Topics": ["orders"],
    }
    queue = {"EventSourceArn": MQ_ARN, "Queues": ["orders"], "SourceAccessConfigurations": login}
    resources = {
        name: {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {**common, **properties}}
        for name, properties in (("Own", own), ("Managed", managed), ("Queue", queue))
    }
    return json.dumps({"Resources": resources})


def settings(directory: Path, kafka: KafkaBroker, rabbitmq: RabbitMqBroker) -> Path:
    """A file that says where the brokers are."""
    file = directory / "lambdad.toml"
    file.write_text(
        f'[brokers]\n"{MSK_ARN}" = "SASL_PLAINTEXT://{kafka.guarded}"\n'
        f'"{MQ_ARN}" = "amqp://{rabbitmq.address}"\n'
    )
    return file


async def fill(kafka: KafkaBroker, rabbitmq: RabbitMqBroker) -> None:
    """Write numbered orders to two partitions, and as many to a queue."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.plain)
    await admin.start()
    await admin.create_topics([NewTopic("orders", PARTITIONS, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka.plain) as producer:
        for number in range(COUNT):
            for partition in range(PARTITIONS):
                text = f"{partition}:{number:04}"
                await producer.send(
                    "orders",
                    text.encode(),
                    key=b"k",
                    partition=partition,
                    headers=[("unit", b"g")],
                )
    url = f"amqp://{USER}:{PASSWORD}@{rabbitmq.address}/{quote('/', '')}"
    async with await aiormq.connect(url) as connection:
        channel = await connection.channel()
        await channel.queue_declare("orders", durable=True)
        for number in range(COUNT):
            await channel.basic_publish(f"0:{number:04}".encode(), routing_key="orders")


def client(service: str, endpoint_url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, read_timeout=60),
    )


@pytest.fixture
def ledger() -> Iterator[Path]:
    """A file that every user can write to."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o777)
        file = Path(directory) / "ledger"
        file.touch()
        file.chmod(0o666)
        yield file


def deploy(endpoint_url: str, kafka: KafkaBroker, ledger: Path) -> None:
    """A function, a secret, and a stack that maps the brokers to it."""
    environment = {"Variables": {"LEDGER": str(ledger)}}
    Deployer(endpoint_url).deploy("orders", HANDLER, Timeout=10, Environment=environment)
    login = json.dumps({"username": USER, "password": PASSWORD})
    secret = client("secretsmanager", endpoint_url).create_secret(Name="login", SecretString=login)
    stacks = client("cloudformation", endpoint_url)
    stacks.create_stack(StackName="orders", TemplateBody=template(kafka, secret["ARN"]))
    waiting = {"Delay": 1, "MaxAttempts": 60}
    stacks.get_waiter("stack_create_complete").wait(StackName="orders", WaiterConfig=waiting)


def seen(ledger: Path, source: str) -> list[str]:
    lines = [line.split() for line in ledger.read_text().splitlines()]
    return [text for name, text in lines if name == source]


def wait_for(ledger: Path, count: int) -> None:
    """Wait until each source has brought so many different orders."""
    deadline = time.monotonic() + DEADLINE_S
    while any(
        len(set(seen(ledger, source))) < count * partitions for source, partitions in SOURCES
    ):
        assert time.monotonic() < deadline, ledger.read_text()[-500:]
        threading.Event().wait(0.05)


SOURCES = (("SelfManagedKafka", PARTITIONS), ("aws:kafka", PARTITIONS), ("aws:rmq", 1))


@pytest.mark.slow
def test_all_that_is_in_brokers_arrives_in_order_though_the_daemon_dies(
    tmp_path: Path, ledger: Path, kafka_broker: KafkaBroker, rabbitmq_broker: RabbitMqBroker
) -> None:
    asyncio.run(fill(kafka_broker, rabbitmq_broker))
    file = settings(tmp_path, kafka_broker, rabbitmq_broker)
    options = ("--backend", "process", "--config", str(file))
    daemon = DaemonProcess(tmp_path / "data", *options).start()
    deploy(daemon.endpoint_url, kafka_broker, ledger)
    wait_for(ledger, 5)
    daemon.kill()
    assert any(len(set(seen(ledger, name))) < COUNT * each for name, each in SOURCES)
    with DaemonProcess(tmp_path / "data", *options) as after:
        wait_for(ledger, COUNT)
        mappings = client("lambda", after.endpoint_url).list_event_source_mappings()
    assert "Traceback" not in after.stderr, after.stderr
    results = [each.get("LastProcessingResult") for each in mappings["EventSourceMappings"]]
    assert sorted(map(str, results)) == ["None", "OK", "OK"]
    for source, partitions in SOURCES:
        for partition in range(partitions):
            mine = [text for text in seen(ledger, source) if text.startswith(f"{partition}:")]
            # Each first came after all before it, and only what was in hand came twice.
            assert list(dict.fromkeys(mine)) == sorted(set(mine))
            assert len(mine) <= COUNT + 10
    _fit_the_published_types(ledger, tmp_path)


def _fit_the_published_types(ledger: Path, place: Path) -> None:
    """Of RabbitMQ's events none are published."""
    named = {"SelfManagedKafka": "L.SelfManagedKafkaEvent", "aws_kafka": "L.MSKEvent"}
    events = {name: json.loads(Path(f"{ledger}.{name}").read_text()) for name in named}
    try:
        types = event_types.install()
    except event_types.NotThere as missing:
        pytest.skip(str(missing))
    assert event_types.complaints(types, place, events, named) == ""
