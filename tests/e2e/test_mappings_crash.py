"""Functions get all that was accepted by their sources, in order, whenever the daemon is killed."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambdad.testing.asking import linger
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

KILLS = 3
GROUPS = 3
ALIVE_S = (0.3, 0.8)
DEADLINE_S = 60.0
NAMES = ("standard", "ordered.fifo", "stream")

# Without confinement a function can tell the test on the disk what it got, but for below `/tmp`,
# which each has for itself.
HANDLER = """
import base64, os
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def handler(event, context):
    for record in event["Records"]:
        body = record.get("body") or base64.b64decode(record["kinesis"]["data"]).decode()
        os.write(ledger, body.encode() + b"\\n")
"""


def client(service: str, endpoint_url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30),
    )


class Traffic:
    """Producers of one life of the daemon. Mutable: what was accepted, by source."""

    def __init__(self, endpoint_url: str, life: int, accepted: dict[str, list[str]]) -> None:
        self._sqs = client("sqs", endpoint_url)
        self._kinesis = client("kinesis", endpoint_url)
        self._life = life
        self._accepted = accepted
        self._threads = [threading.Thread(target=self._produce, args=(name,)) for name in NAMES]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _produce(self, name: str) -> None:
        number = 0
        while True:
            body = f"{number % GROUPS}:{self._life}:{number:06}"
            try:
                self._send(name, body)
            except (BotoCoreError, ClientError):
                return
            self._accepted[name].append(body)
            number += 1

    def _send(self, name: str, body: str) -> None:
        group = body.partition(":")[0]
        if name == "stream":
            self._kinesis.put_record(StreamName=name, Data=body.encode(), PartitionKey=group)
            return
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": body}
        self._sqs.send_message(
            QueueUrl=f"/000000000000/{name}",
            MessageBody=body,
            **(fifo if name.endswith(".fifo") else {}),
        )


def deploy(endpoint_url: str, ledgers: dict[str, Path]) -> None:
    """Sources, functions and mappings."""
    user, sqs = Deployer(endpoint_url), client("sqs", endpoint_url)
    for name, ledger in ledgers.items():
        function = name.partition(".")[0]
        environment = {"Variables": {"LEDGER": str(ledger)}}
        user.deploy(function, HANDLER, Timeout=2, Environment=environment)
        if name == "stream":
            client("kinesis", endpoint_url).create_stream(StreamName=name, ShardCount=2)
            arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"
            settings: dict[str, Any] = {
                "StartingPosition": "TRIM_HORIZON",
                "ParallelizationFactor": 2,
            }
        else:
            fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            # So short that what a killed daemon had in hand comes back within the test.
            attributes = {"VisibilityTimeout": "2", **fifo}
            sqs.create_queue(QueueName=name, Attributes=attributes)
            arn, settings = f"arn:aws:sqs:us-east-1:000000000000:{name}", {}
        user.lambda_.create_event_source_mapping(
            FunctionName=function, EventSourceArn=arn, **settings
        )


@pytest.fixture
def ledgers() -> Iterator[dict[str, Path]]:
    """Files that every user can write to."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        files = {name: Path(directory) / name for name in NAMES}
        for file in files.values():
            file.touch()
            file.chmod(0o666)
        yield files


@pytest.mark.slow
def test_functions_get_all_that_was_accepted_whenever_the_daemon_dies(
    tmp_path: Path, ledgers: dict[str, Path]
) -> None:
    chance = random.Random(20_251_126)  # noqa: S311 - which instants does not matter
    accepted: dict[str, list[str]] = defaultdict(list)
    for life in range(KILLS):
        daemon = DaemonProcess(tmp_path, "--backend", "process").start()
        if life == 0:
            deploy(daemon.endpoint_url, ledgers)
        traffic = Traffic(daemon.endpoint_url, life, accepted)
        traffic.start()
        least = 2 * (life + 1)
        linger(
            chance.uniform(*ALIVE_S),
            lambda: all(len(accepted[name]) >= least for name in NAMES),  # noqa: B023 - now
        )
        daemon.kill()
        traffic.join()
    with DaemonProcess(tmp_path, "--backend", "process"):
        for name, ledger in ledgers.items():
            wait_for(partial(has_all, ledger, accepted[name]))
    for name in NAMES:
        assert len(accepted[name]) > KILLS
    for name in ("ordered.fifo", "stream"):
        check_order(handled(ledgers[name]))


def handled(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines()


def has_all(ledger: Path, bodies: list[str]) -> bool:
    return set(bodies) <= set(handled(ledger))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not all of it came"
        threading.Event().wait(0.2)


def check_order(bodies: list[str]) -> None:
    """The first sight of each item comes after those of all that its group had before it."""
    for group in range(GROUPS):
        first_seen = list(dict.fromkeys(body for body in bodies if body.startswith(f"{group}:")))
        assert first_seen == sorted(first_seen)
