"""Functions handle all that seven services accepted, and resources are whole, after any kill -9.

Producers write to all sources at once, each source's function notes what it got, and another
client changes resources of every service, while the daemon is killed. `TEST_SERVICE_KILLS` says how
often; `make crash` runs the long form.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambdad.testing.asking import linger
from lambdad.testing.crash.service_ledger import ServiceLedger
from lambdad.testing.crash.service_steps import SERVICE_SCRIPT
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("TEST_SERVICE_KILLS", "3"))
GROUPS = 3
ALIVE_S = (0.3, 0.9)
PATIENCE_S = 60.0 + 4 * KILLS
_ARN = "arn:aws:{}:us-east-1:000000000000:{}"

# Without confinement a function can tell the test on the disk what it got, but for below `/tmp`,
# which each has for itself.
HANDLER = """
import base64, os, urllib.parse
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def texts(event):
    if "detail" in event:
        yield event["detail"]["text"]
    for record in event.get("Records", ()):
        if "Sns" in record:
            yield record["Sns"]["Message"]
        elif "s3" in record:
            yield urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        elif "dynamodb" in record:
            yield record["dynamodb"]["NewImage"]["text"]["S"]
        elif "kinesis" in record:
            yield base64.b64decode(record["kinesis"]["data"]).decode()
        else:
            yield record["body"]
def handler(event, context):
    for text in texts(event):
        os.write(ledger, text.encode() + b"\\n")
"""


class Clients:
    """One client of each service. Mutable: those that were made."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = boto3.client(
                service,
                endpoint_url=self._endpoint_url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="any",
                config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60),
            )
        return self._made[service]


def send_standard(clients: Clients, text: str) -> None:
    clients("sqs").send_message(QueueUrl="/000000000000/standard", MessageBody=text)


def send_fifo(clients: Clients, text: str) -> None:
    clients("sqs").send_message(
        QueueUrl="/000000000000/ordered.fifo",
        MessageBody=text,
        MessageGroupId=text[0],
        MessageDeduplicationId=text,
    )


def put_record(clients: Clients, text: str) -> None:
    clients("kinesis").put_record(StreamName="stream", Data=text.encode(), PartitionKey=text[0])


def put_item(clients: Clients, text: str) -> None:
    item = {"id": {"S": text[0]}, "text": {"S": text}}
    clients("dynamodb").put_item(TableName="table", Item=item)


def put_event(clients: Clients, text: str) -> None:
    entry = {"Source": "crash", "DetailType": "t", "Detail": json.dumps({"text": text})}
    assert clients("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def publish(clients: Clients, text: str) -> None:
    clients("sns").publish(TopicArn=_ARN.format("sns", "topic"), Message=text)


def put_object(clients: Clients, text: str) -> None:
    clients("s3").put_object(Bucket="crash-objects", Key=text, Body=b"x" * 10)


Send = Callable[[Clients, str], None]
SOURCES: dict[str, Send] = {
    "sqs": send_standard,
    "sqs-fifo": send_fifo,
    "kinesis": put_record,
    "dynamodb": put_item,
    "eventbridge": put_event,
    "sns": publish,
    "s3": put_object,
}
ORDERED = ("sqs-fifo", "kinesis", "dynamodb")


def deploy(endpoint_url: str, ledgers: dict[str, Path]) -> None:
    """Sources, a function for each, and what connects them."""
    user, clients = Deployer(endpoint_url), Clients(endpoint_url)
    for name, ledger in ledgers.items():
        environment = {"Variables": {"LEDGER": str(ledger)}}
        user.deploy(name, HANDLER, Timeout=2, Environment=environment)
    sqs = clients("sqs")
    # So short that what a killed daemon had in hand comes back within the test.
    for queue, fifo in (("standard", {}), ("ordered.fifo", {"FifoQueue": "true"})):
        sqs.create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "2", **fifo})
    clients("kinesis").create_stream(StreamName="stream", ShardCount=2)
    table = clients("dynamodb").create_table(
        TableName="table",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    begin = {"StartingPosition": "TRIM_HORIZON"}
    for name, arn, settings in (
        ("sqs", _ARN.format("sqs", "standard"), {}),
        ("sqs-fifo", _ARN.format("sqs", "ordered.fifo"), {}),
        ("kinesis", _ARN.format("kinesis", "stream/stream"), begin),
        ("dynamodb", table["LatestStreamArn"], begin),
    ):
        user.lambda_.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, **settings)
    connect(user, clients)


def connect(user: Deployer, clients: Clients) -> None:
    """Let bus, topic and bucket push."""
    for name in ("events", "sns", "s3"):
        function = "eventbridge" if name == "events" else name
        user.lambda_.add_permission(
            FunctionName=function,
            StatementId="source",
            Action="lambda:InvokeFunction",
            Principal=f"{name}.amazonaws.com",
        )
    clients("events").put_rule(Name="r", EventPattern='{"source": ["crash"]}')
    target = {"Id": "t", "Arn": _ARN.format("lambda", "function:eventbridge")}
    clients("events").put_targets(Rule="r", Targets=[target])
    topic = clients("sns").create_topic(Name="topic")["TopicArn"]
    clients("sns").subscribe(
        TopicArn=topic, Protocol="lambda", Endpoint=_ARN.format("lambda", "function:sns")
    )
    clients("s3").create_bucket(Bucket="crash-objects")
    configuration = {
        "LambdaFunctionArn": _ARN.format("lambda", "function:s3"),
        "Events": ["s3:ObjectCreated:*"],
    }
    clients("s3").put_bucket_notification_configuration(
        Bucket="crash-objects",
        NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]},
    )


class Load:
    """Producers and the one who changes resources, for one life of the daemon."""

    def __init__(
        self, endpoint_url: str, life: int, accepted: dict[str, list[str]], ledger: ServiceLedger
    ) -> None:
        self.failures: list[BaseException] = []
        self._life = life
        self._accepted = accepted
        self._clients = Clients(endpoint_url)
        for service in ("sqs", "kinesis", "dynamodb", "events", "sns", "s3"):
            self._clients(service)  # making one is not for several threads
        works = [lambda: ledger.work(Clients(endpoint_url), threading.Event())]
        works += [lambda name=name: self._produce(name) for name in SOURCES]  # type: ignore[misc]
        self._threads = [threading.Thread(target=self._guarded, args=(work,)) for work in works]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised where the test waits
            self.failures.append(error)

    def _produce(self, name: str) -> None:
        for number in range(1_000_000):
            text = f"{number % GROUPS}:{self._life:04}:{number:06}"
            try:
                SOURCES[name](self._clients, text)
            except (BotoCoreError, ClientError):
                return
            self._accepted[name].append(text)
            # The functions are to keep up, all of them on this host.
            time.sleep(0.005)


@pytest.fixture
def ledgers() -> Iterator[dict[str, Path]]:
    """Files that every user can write to."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        files = {name: Path(directory) / name for name in SOURCES}
        for file in files.values():
            file.touch()
            file.chmod(0o666)
        yield files


@pytest.mark.timeout(240 + 10 * KILLS)
def test_functions_handle_all_that_services_accepted_and_resources_are_whole(
    tmp_path: Path, ledgers: dict[str, Path]
) -> None:
    chance = random.Random(20_261_121)  # noqa: S311 - which instants does not matter
    accepted: dict[str, list[str]] = {name: [] for name in SOURCES}
    control = ServiceLedger("w0")
    for life in range(KILLS):
        daemon = DaemonProcess(tmp_path, "--backend", "process").start()
        if life == 0:
            deploy(daemon.endpoint_url, ledgers)
        else:
            control.check(Clients(daemon.endpoint_url))
        load = Load(daemon.endpoint_url, life, accepted, control)
        least = 2 * (life + 1)
        linger(
            chance.uniform(*ALIVE_S),
            lambda: all(len(sent) >= least for sent in accepted.values()),  # noqa: B023 - now
        )
        daemon.kill()
        load.join()
        say(f"kill {life + 1} of {KILLS}: {sum(map(len, accepted.values())):,} accepted so far")
    with DaemonProcess(tmp_path, "--backend", "process") as daemon:
        control.check(Clients(daemon.endpoint_url))
        for name, ledger in ledgers.items():
            wait_for(name, ledger, accepted[name])
    report(accepted, ledgers, control)
    for name in SOURCES:
        assert len(accepted[name]) > KILLS
    for name in ORDERED:
        check_order(handled(ledgers[name]))
    if KILLS >= 50:
        script = {f"{step.service}:{step.operation}" for step in SERVICE_SCRIPT}
        assert script == set(control.answered)


def handled(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines()


def wait_for(name: str, ledger: Path, texts: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while missing := set(texts) - set(handled(ledger)):
        assert time.monotonic() < deadline, f"{name} lost {len(missing)}: {sorted(missing)[:5]}"
        threading.Event().wait(0.2)


def check_order(texts: list[str]) -> None:
    """The first sight of each item comes after those of all that its group had before it."""
    for group in range(GROUPS):
        first_seen = list(dict.fromkeys(text for text in texts if text.startswith(f"{group}:")))
        assert first_seen == sorted(first_seen)


def report(
    accepted: dict[str, list[str]], ledgers: dict[str, Path], control: ServiceLedger
) -> None:
    """Say how much the run has seen, a line for each ledger: `make crash` shows it."""
    for name, texts in accepted.items():
        runs = handled(ledgers[name])
        again = len(runs) - len(set(runs))
        order = "in order" if name in ORDERED else "in any order"
        say(f"{name}: {len(texts):,} accepted, 0 lost, {again:,} handled again, {order}")
    doubts = ", ".join(f"{name} {times}" for name, times in control.in_doubt.most_common())
    say(f"resources: {control.answered.total():,} changes answered; under way at a kill: {doubts}")


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
