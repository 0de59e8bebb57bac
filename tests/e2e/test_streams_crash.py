"""Streams lose no record that was accepted and keep its order, whenever the daemon is killed."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.conformance.kinesis.conftest import kinesis_client, read_all

from lambdad.testing.asking import linger
from lambdad.testing.daemon import DaemonProcess

KILLS = 3
PRODUCERS = 3
ALIVE_S = (0.3, 0.9)
STREAM = "ledger"


def produce(kinesis: Any, producer: int, life: int, accepted: list[tuple[str, str]]) -> None:
    """Put one record after the other until nobody answers; notes shard and data."""
    number = 0
    while True:
        data = f"{producer}:{life}:{number:06}"
        try:
            answer = kinesis.put_record(
                StreamName=STREAM, Data=data.encode(), PartitionKey=str(producer)
            )
        except (BotoCoreError, ClientError):
            return
        accepted.append((answer["SequenceNumber"], data))
        number += 1


@pytest.mark.slow
def test_every_accepted_record_is_read_whenever_the_daemon_dies(tmp_path: Path) -> None:
    chance = random.Random(20_251_125)  # noqa: S311 - which instants does not matter
    accepted: list[tuple[str, str]] = []
    for life in range(KILLS):
        daemon = DaemonProcess(tmp_path, "--backend", "process").start()
        clients = [kinesis_client(daemon.endpoint_url) for _ in range(PRODUCERS)]
        if life == 0:
            clients[0].create_stream(StreamName=STREAM, ShardCount=2)
        threads = [
            threading.Thread(target=produce, args=(client, producer, life, accepted))
            for producer, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        least = 2 * PRODUCERS * (life + 1)
        linger(chance.uniform(*ALIVE_S), lambda: len(accepted) >= least)  # noqa: B023 - now
        if life == 1:
            (first, *_) = clients[0].list_shards(StreamName=STREAM)["Shards"]
            clients[0].split_shard(
                StreamName=STREAM, ShardToSplit=first["ShardId"], NewStartingHashKey="1234567"
            )
        daemon.kill()
        for thread in threads:
            thread.join()
    with DaemonProcess(tmp_path, "--backend", "process") as daemon:
        kinesis = kinesis_client(daemon.endpoint_url)
        found = {}
        for shard in kinesis.list_shards(StreamName=STREAM)["Shards"]:
            for record in read_all(kinesis, STREAM, shard["ShardId"]):
                found[record["SequenceNumber"]] = record["Data"].decode()
    assert len(accepted) > KILLS * PRODUCERS
    assert {number: data for number, data in accepted if found.get(number) != data} == {}
    in_order = [found[number] for number in sorted(found)]
    for producer in range(PRODUCERS):
        mine = [data for data in in_order if data.startswith(f"{producer}:")]
        assert mine == sorted(mine)
