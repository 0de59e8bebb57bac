"""Buses and topics lose nothing that was accepted, whenever the daemon is killed."""

from __future__ import annotations

import json
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
from lambdad.testing.policies import OPEN

KILLS = 3
GROUPS = 3
ALIVE_S = (0.2, 0.8)
_ARN = "arn:aws:sqs:us-east-1:000000000000:"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t.fifo"


def client(service: str, endpoint_url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30),
    )


def prepare(endpoint_url: str) -> None:
    sqs, events, sns = (client(name, endpoint_url) for name in ("sqs", "events", "sns"))
    sqs.create_queue(QueueName="events", Attributes=OPEN)
    sqs.create_queue(QueueName="messages.fifo", Attributes={"FifoQueue": "true", **OPEN})
    events.put_rule(Name="r", EventPattern='{"source": ["test"]}')
    target = {"Id": "t", "Arn": f"{_ARN}events", "InputPath": "$.detail.text"}
    events.put_targets(Rule="r", Targets=[target])
    sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})
    sns.subscribe(
        TopicArn=TOPIC,
        Protocol="sqs",
        Endpoint=f"{_ARN}messages.fifo",
        Attributes={"RawMessageDelivery": "true"},
    )


class Producer:
    """Puts events or publishes messages until the daemon dies; keeps what was accepted."""

    def __init__(self, endpoint_url: str, service: str, life: int, accepted: list[str]) -> None:
        self._client = client(service, endpoint_url)
        self._send = self._put if service == "events" else self._publish
        self._life, self._accepted = life, accepted
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while True:
            text = f"{number % GROUPS}:{self._life}:{number:06}"
            try:
                self._send(text)
            except (BotoCoreError, ClientError):
                return
            self._accepted.append(text)
            number += 1

    def _put(self, text: str) -> None:
        entry = {"Source": "test", "DetailType": "t", "Detail": json.dumps({"text": text})}
        assert self._client.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def _publish(self, text: str) -> None:
        self._client.publish(
            TopicArn=TOPIC,
            Message=text,
            MessageGroupId=text[0],
            MessageDeduplicationId=text,
        )


def drain(sqs: Any, queue: str, accepted: set[str]) -> list[str]:
    """Receive until everything that was accepted has come, and then whatever else is there."""
    url, found, missing = f"/000000000000/{queue}", [], set(accepted)
    while True:
        wait_s = 20 if missing else 0
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
        messages = answer.get("Messages", [])
        if not messages:
            return found
        for message in messages:
            found.append(message["Body"])
            missing.discard(message["Body"].strip('"'))
        done = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=url, Entries=done)


@pytest.mark.slow
def test_what_buses_and_topics_accepted_arrives_whenever_the_daemon_dies(tmp_path: Path) -> None:
    chance = random.Random(20)  # noqa: S311 - instants, no secrets
    accepted: dict[str, list[str]] = {"events": [], "sns": []}
    with DaemonProcess(tmp_path) as daemon:
        prepare(daemon.endpoint_url)
    for life in range(KILLS):
        daemon = DaemonProcess(tmp_path).start()
        producers = [
            Producer(daemon.endpoint_url, service, life, sent) for service, sent in accepted.items()
        ]
        least = 2 * (life + 1)
        linger(
            chance.uniform(*ALIVE_S),
            lambda: all(len(sent) >= least for sent in accepted.values()),  # noqa: B023 - now
        )
        daemon.kill()
        for producer in producers:
            producer.join()
    assert all(len(sent) > KILLS for sent in accepted.values())
    with DaemonProcess(tmp_path) as daemon:
        sqs = client("sqs", daemon.endpoint_url)
        events = [body.strip('"') for body in drain(sqs, "events", set(accepted["events"]))]
        messages = drain(sqs, "messages.fifo", set(accepted["sns"]))
    assert set(accepted["events"]) <= set(events)
    assert set(accepted["sns"]) <= set(messages)
    assert len(set(messages)) == len(messages)
    for group in range(GROUPS):
        of_group = [body for body in messages if body.startswith(f"{group}:")]
        assert of_group == sorted(of_group)
