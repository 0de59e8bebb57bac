"""Tables and their streams lose nothing that was accepted, whenever the daemon is killed."""

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
WRITERS = 4
ALIVE_S = (0.3, 1.0)
TABLE = "ledger"


def client(service: str, endpoint_url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30),
    )


class Writer:
    """Counts its own item up by one, and moves one of a sum between two, until the daemon dies.

    Mutable: what it was told.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.accepted = 0
        self.tried = 0

    def run(self, endpoint_url: str, over: threading.Event) -> None:
        dynamodb = client("dynamodb", endpoint_url)
        while not over.is_set():
            try:
                self._write(dynamodb)
            except (BotoCoreError, ClientError):
                return

    def _write(self, dynamodb: Any) -> None:
        if self.tried > self.accepted:  # The last one before the crash may have happened.
            key = {"id": {"S": f"count-{self.number}"}}
            item = dynamodb.get_item(TableName=TABLE, Key=key).get("Item")
            found = 0 if item is None else int(item["n"]["N"])
            assert found in (self.accepted, self.tried)
            self.accepted = found
        self.tried = self.accepted + 1
        add = {
            "TableName": TABLE,
            "UpdateExpression": "ADD n :n",
        }

        def change(name: str, amount: int) -> dict[str, Any]:
            values = {":n": {"N": f"{amount}"}}
            key = {"id": {"S": f"{name}-{self.number}"}}
            return {"Update": {**add, "Key": key, "ExpressionAttributeValues": values}}

        changes = [change("count", 1), change("left", -1), change("right", 1)]
        dynamodb.transact_write_items(TransactItems=changes)
        self.accepted = self.tried


def create(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName=TABLE,
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-n",
                "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


@pytest.mark.slow
def test_every_accepted_write_is_there_and_in_the_stream_whenever_the_daemon_dies(
    tmp_path: Path,
) -> None:
    chance = random.Random(20_251_124)  # noqa: S311 - which instants does not matter
    writers = [Writer(number) for number in range(WRITERS)]
    for life in range(KILLS):
        daemon = DaemonProcess(tmp_path, "--backend", "process").start()
        if life == 0:
            create(client("dynamodb", daemon.endpoint_url))
        over = threading.Event()
        threads = [
            threading.Thread(target=writer.run, args=(daemon.endpoint_url, over))
            for writer in writers
        ]
        for thread in threads:
            thread.start()
        linger(chance.uniform(*ALIVE_S), lambda: all(writer.accepted for writer in writers))
        daemon.kill()
        over.set()
        for thread in threads:
            thread.join()
    with DaemonProcess(tmp_path, "--backend", "process") as daemon:
        check(daemon.endpoint_url, writers)


def check(endpoint_url: str, writers: list[Writer]) -> None:
    dynamodb = client("dynamodb", endpoint_url)
    items = {
        item["id"]["S"]: int(item["n"]["N"]) for item in dynamodb.scan(TableName=TABLE)["Items"]
    }
    for writer in writers:
        count = items[f"count-{writer.number}"]
        assert writer.accepted > 0
        assert count in (writer.accepted, writer.tried)
        assert items[f"right-{writer.number}"] == count
        assert items[f"left-{writer.number}"] == -count
    indexed = dynamodb.scan(TableName=TABLE, IndexName="by-n")["Items"]
    assert {item["id"]["S"]: int(item["n"]["N"]) for item in indexed} == items
    told: dict[str, list[int]] = {}
    for record in all_records(endpoint_url):
        image = record["dynamodb"]["NewImage"]
        told.setdefault(image["id"]["S"], []).append(int(image["n"]["N"]))
    # Each change once and in order: what the stream says last is what the table has.
    for name, count in items.items():
        sign = -1 if name.startswith("left") else 1
        assert told[name] == [sign * each for each in range(1, abs(count) + 1)]


def all_records(endpoint_url: str) -> list[Any]:
    streams = client("dynamodbstreams", endpoint_url)
    (stream,) = streams.list_streams(TableName=TABLE)["Streams"]
    arn = stream["StreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    here = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found: list[Any] = []
    while True:
        page = streams.get_records(ShardIterator=here)
        if not page["Records"]:
            return found
        found += page["Records"]
        here = page["NextShardIterator"]
