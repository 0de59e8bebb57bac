"""An object that S3 acknowledged reaches its function, whenever the daemon is killed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambdad.testing.asking import linger
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.policies import OPEN

KILLS = 3
ALIVE_S = (0.4, 0.3, 0.5)
WRITERS = 2

HANDLER = """
import boto3, os

SQS = boto3.client("sqs")

def handler(event, context):
    for record in event["Records"]:
        SQS.send_message(QueueUrl=os.environ["OUT"], MessageBody=record["s3"]["object"]["key"])
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


def write(endpoint_url: str, prefix: str, accepted: list[str]) -> None:
    """Put objects until the daemon dies."""
    s3 = client("s3", endpoint_url)
    number = 0
    while True:
        key = f"{prefix}/{number} ü"
        try:
            s3.put_object(Bucket="events", Key=key, Body=b"x")
        except (BotoCoreError, ClientError):
            return
        accepted.append(key)
        number += 1


def prepare(endpoint_url: str) -> None:
    user = Deployer(endpoint_url)
    url = user.sqs.create_queue(QueueName="handled", Attributes=OPEN)["QueueUrl"]
    user.deploy("f", HANDLER, Environment={"Variables": {"OUT": url}})
    user.lambda_.add_permission(
        FunctionName="f",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    # Few environments, as each has to import boto3.
    user.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
    s3 = client("s3", endpoint_url)
    s3.create_bucket(Bucket="events")
    target = {
        "LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Events": ["s3:ObjectCreated:*"],
    }
    s3.put_bucket_notification_configuration(
        Bucket="events", NotificationConfiguration={"LambdaFunctionConfigurations": [target]}
    )


def handled(endpoint_url: str, wanted: set[str]) -> set[str]:
    """Return the keys that the function saw, once it saw all that are wanted or says no more."""
    sqs, found = client("sqs", endpoint_url), set[str]()
    while not wanted <= found:
        answer = sqs.receive_message(
            QueueUrl="/000000000000/handled", MaxNumberOfMessages=10, WaitTimeSeconds=20
        )
        messages = answer.get("Messages", ())
        if not messages:
            break
        found |= {unquote_plus(each["Body"]) for each in messages}
        sqs.delete_message_batch(
            QueueUrl="/000000000000/handled",
            Entries=[
                {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]}
                for number, each in enumerate(messages)
            ],
        )
    return found


@pytest.mark.slow
def test_each_accepted_object_is_handled(tmp_path: Path) -> None:
    port = 0
    accepted: list[str] = []
    for life in range(KILLS):
        options = ("--backend", "process", *(("--port", str(port)) if port else ()))
        daemon = DaemonProcess(tmp_path, *options).start()
        if life == 0:
            prepare(daemon.endpoint_url)
        port = int(daemon.endpoint_url.rpartition(":")[2])
        kept: list[list[str]] = [[] for _ in range(WRITERS)]
        threads = [
            threading.Thread(target=write, args=(daemon.endpoint_url, f"{life}-{number}", mine))
            for number, mine in enumerate(kept)
        ]
        for thread in threads:
            thread.start()
        linger(ALIVE_S[life], lambda: all(kept))  # noqa: B023 - called now
        daemon.kill()
        for thread in threads:
            thread.join()
        accepted += [key for mine in kept for key in mine]
    assert len(accepted) > KILLS
    with DaemonProcess(tmp_path, "--backend", "process", "--port", str(port)) as daemon:
        missing = set(accepted) - handled(daemon.endpoint_url, set(accepted))
    assert not missing
