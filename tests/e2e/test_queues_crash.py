"""Queues lose nothing that was accepted, whenever the daemon is killed."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambdad.testing.asking import linger
from lambdad.testing.daemon import DaemonProcess

KILLS = 4
GROUPS = 3
ALIVE_S = (0.3, 1.2)
# So long that what nobody deleted comes back, and no more.
VISIBILITY_S = "2"


def client(endpoint_url: str) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30),
    )


class Ledger:
    """What was accepted, received and deleted. Mutable; shared by threads."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.received: list[str] = []
        self.deleted: set[str] = set()
        self.after_deletion: list[str] = []

    def saw(self, body: str) -> None:
        if body in self.deleted:
            self.after_deletion.append(body)
        self.received.append(body)


class Traffic:
    """Producers and consumers of one life of the daemon."""

    def __init__(self, endpoint_url: str, ledgers: dict[str, Ledger], life: int) -> None:
        self._sqs = client(endpoint_url)
        self._ledgers = ledgers
        self._life = life
        self._over = threading.Event()
        jobs = [(self._produce, name) for name in ledgers] + [
            (self._consume, name) for name in ledgers
        ]
        self._threads = [threading.Thread(target=job, args=(name,)) for job, name in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _produce(self, name: str) -> None:
        number = 0
        while not self._over.is_set():
            group = number % GROUPS
            body = f"{group}:{self._life}:{number:06}"
            fifo = {"MessageGroupId": str(group), "MessageDeduplicationId": body}
            try:
                self._sqs.send_message(
                    QueueUrl=f"/000000000000/{name}",
                    MessageBody=body,
                    **(fifo if name.endswith(".fifo") else {}),
                )
            except (BotoCoreError, ClientError):
                return
            self._ledgers[name].accepted.add(body)
            number += 1

    def _consume(self, name: str) -> None:
        while not self._over.is_set():
            try:
                drain_once(self._sqs, name, self._ledgers[name], wait_s=1)
            except (BotoCoreError, ClientError):
                return


def drain_once(sqs: Any, name: str, ledger: Ledger, *, wait_s: int) -> int:
    """Receive, note and delete once; how many there were."""
    url = f"/000000000000/{name}"
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
    messages = found.get("Messages", [])
    for message in messages:
        ledger.saw(message["Body"])
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        ledger.deleted.add(message["Body"])
    return len(messages)


@pytest.mark.slow
def test_every_accepted_message_is_received_whenever_the_daemon_dies(tmp_path: Path) -> None:
    chance = random.Random(20_251_124)  # noqa: S311 - which instants does not matter
    ledgers = {"standard": Ledger(), "ordered.fifo": Ledger()}
    for life in range(KILLS):
        daemon = DaemonProcess(tmp_path, "--backend", "process").start()
        sqs = client(daemon.endpoint_url)
        for name in ledgers:
            fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            attributes = {"VisibilityTimeout": VISIBILITY_S, **fifo}
            sqs.create_queue(QueueName=name, Attributes=attributes)
        traffic = Traffic(daemon.endpoint_url, ledgers, life)
        traffic.start()
        least = 2 * (life + 1)
        linger(
            chance.uniform(*ALIVE_S),
            lambda: all(len(each.accepted) >= least for each in ledgers.values()),  # noqa: B023
        )
        daemon.kill()
        traffic.end()
    with DaemonProcess(tmp_path, "--backend", "process") as daemon:
        sqs = client(daemon.endpoint_url)
        for name, ledger in ledgers.items():
            while drain_once(sqs, name, ledger, wait_s=int(VISIBILITY_S) + 1):
                pass
    for name, ledger in ledgers.items():
        assert len(ledger.accepted) > KILLS
        assert ledger.accepted <= set(ledger.received), name
        assert ledger.after_deletion == [], name
    check_order(ledgers["ordered.fifo"].received)


def check_order(received: list[str]) -> None:
    """The first receipt of each message comes after those of all that its group had before it."""
    for group in range(GROUPS):
        mine = [body for body in received if body.startswith(f"{group}:")]
        first_seen = list(dict.fromkeys(mine))
        assert first_seen == sorted(first_seen)
