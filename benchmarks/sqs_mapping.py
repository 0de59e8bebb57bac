"""Messages a second from a queue through a Python function, in batches of 10, until deleted.

The messages wait when the mapping is made; sending them is not measured. Then how long one message
takes to be handled, alone and while another mapping's function sleeps.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3

from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

HANDLER = "def handler(event, context):\n    return None\n"
SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(10)\n"
_SENDERS = 8
_URL = "/000000000000/"
_ARN = "arn:aws:sqs:us-east-1:000000000000:"


def measure(quick: bool) -> Iterator[Series]:
    """Throughput, then latencies beside an idle and a slow mapping."""
    messages = 3_000 if quick else 30_000
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as directory,
        DaemonProcess(Path(directory), "--drain-timeout", "0") as daemon,
    ):
        user = Deployer(daemon.endpoint_url)
        sqs = _client(daemon.endpoint_url)
        for name, code in (("f", HANDLER), ("quick", HANDLER), ("slow", SLEEPER)):
            user.deploy(name, code)
            sqs.create_queue(QueueName=name)
        _fill(daemon.endpoint_url, messages)
        before = time.perf_counter()
        user.lambda_.create_event_source_mapping(FunctionName="f", EventSourceArn=f"{_ARN}f")
        _until_empty(sqs, "f")
        rate = messages / (time.perf_counter() - before)
        yield Series(row="", name="SQS to a function, batches of 10", unit="1/s", values=[rate])
        yield from _beside_a_slow_one(user, sqs, 20 if quick else 100)


def _beside_a_slow_one(user: Deployer, sqs: Any, count: int) -> Iterator[Series]:
    mapping = {"FunctionName": "quick", "EventSourceArn": f"{_ARN}quick"}
    user.lambda_.create_event_source_mapping(**mapping)
    _handled(sqs)
    alone = [_handled(sqs) for _ in range(count)]
    user.lambda_.create_event_source_mapping(FunctionName="slow", EventSourceArn=f"{_ARN}slow")
    for number in range(50):
        sqs.send_message(QueueUrl=f"{_URL}slow", MessageBody=str(number))
    beside = [_handled(sqs) for _ in range(count)]
    title = "one message sent, handled and deleted"
    yield Series(row="", name=title, unit="ms", values=alone)
    yield Series(row="", name=f"{title}, beside a slow mapping", unit="ms", values=beside)


def _handled(sqs: Any) -> float:
    before = time.perf_counter()
    sqs.send_message(QueueUrl=f"{_URL}quick", MessageBody="x")
    _until_empty(sqs, "quick")
    return (time.perf_counter() - before) * 1_000


def _until_empty(sqs: Any, name: str) -> None:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    while True:
        found = sqs.get_queue_attributes(QueueUrl=f"{_URL}{name}", AttributeNames=names)
        if not any(map(int, found["Attributes"].values())):
            return
        time.sleep(0.002)


def _fill(endpoint_url: str, messages: int) -> None:
    def send(begin: int) -> None:
        entries = [{"Id": str(n), "MessageBody": f"message {begin + n}"} for n in range(10)]
        clients[begin // 10 % _SENDERS].send_message_batch(QueueUrl=f"{_URL}f", Entries=entries)

    clients = [_client(endpoint_url) for _ in range(_SENDERS)]
    with ThreadPoolExecutor(_SENDERS) as threads:
        list(threads.map(send, range(0, messages, 10)))


def _client(endpoint_url: str) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",  # noqa: S106 - nobody checks it
    )
