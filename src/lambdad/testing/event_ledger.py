"""Counts what was accepted and what was carried out while a daemon is killed time and again."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import tempfile
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambdad.testing.deploy import Deployer

# Writes one line at its end, with one call, so that a line is there as a whole or not at all.
SOURCE = """
import os, time
def handler(event, context):
    time.sleep(event["s"])
    line = "%d %.6f %s\\n" % (event["n"], time.time(), context.aws_request_id)
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(ledger, line.encode())
    os.close(ledger)
    if event["n"] % 50 == 0:
        raise ValueError("every fiftieth fails, and so is tried three times")
"""
FAILING = 50
TRIES = 3


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the functions' ledger: when an event's work ended, in epoch seconds."""

    number: int
    ended_s: float
    request_id: str


@dataclass
class EventLedger:
    """What clients were told, by the number of the event. Shared by their threads.

    Attributes:
        in_hand: how often a daemon died with the event of this request id in hand.
    """

    path: Path
    accepted: dict[int, str] = field(default_factory=dict)
    in_hand: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def load(self, user: Deployer, functions: list[str], *, threads: int) -> Iterator[None]:
        """Send events from so many threads while the body runs."""
        stop = threading.Event()

        def client() -> None:
            while not stop.is_set():
                with self._lock:
                    number = next(self._numbers)
                self._send(user, functions[number % len(functions)], number)

        with ThreadPoolExecutor(threads) as pool:
            for _ in range(threads):
                pool.submit(client)
            try:
                yield
            finally:
                stop.set()

    def _send(self, user: Deployer, name: str, number: int) -> None:
        event = {"n": number, "s": 0.0 if number % 4 else 0.05, "x": "x" * (number % 7 * 1_000)}
        try:
            answer = user.lambda_.invoke(
                FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode()
            )
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            return
        assert answer["StatusCode"] == 202
        self.accepted[number] = answer["ResponseMetadata"]["RequestId"]

    def killed(self, data_dir: Path) -> None:
        """Note what a daemon had in hand that just died, by what is on its disk."""
        self.in_hand.update(_in_hand(data_dir))

    def runs(self) -> list[Run]:
        """What the functions wrote."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [
            Run(int(number), float(ended), request_id)
            for number, ended, request_id in (line.split() for line in lines)
        ]

    def lost(self) -> set[int]:
        """Accepted events that were not carried out as often as they must be."""
        times = Counter(run.number for run in self.runs())
        return {
            number
            for number in self.accepted
            if times[number] < (TRIES if number % FAILING == 0 else 1)
        }

    def wrong(self) -> list[Run]:
        """Runs under another request id than the caller was told."""
        return [
            run
            for run in self.runs()
            if self.accepted.get(run.number) not in (None, run.request_id)
        ]

    def repeated(self) -> set[int]:
        """Events that ran more often than they must, and than there were deaths amid their work.

        What had ended but was not on the disk when the daemon died was still in its hand.
        """
        runs: dict[int, list[str]] = {}
        for run in self.runs():
            runs.setdefault(run.number, []).append(run.request_id)
        return {
            number
            for number, ids in runs.items()
            if len(ids) - sum(self.in_hand[each] for each in set(ids))
            > (TRIES if number % FAILING == 0 else 1)
        }


def _in_hand(data_dir: Path) -> list[str]:
    """Request ids of the events that were claimed and not settled.

    From a copy: looking at the database itself would change it.
    """
    with tempfile.TemporaryDirectory() as directory:
        for name in ("lambdad.db", "lambdad.db-wal"):
            if (data_dir / name).exists():
                shutil.copyfile(data_dir / name, Path(directory) / name)
        with closing(sqlite3.connect(Path(directory) / "lambdad.db")) as connection:
            heads = connection.execute("SELECT head FROM async_event WHERE lost > 0").fetchall()
    return [json.loads(head)["request_id"] for (head,) in heads]


def queue_counts(endpoint_url: str) -> dict[str, Any]:
    """Return the counts of a daemon's queue."""
    with urllib.request.urlopen(f"{endpoint_url}/_lambdad/queue?limit=1") as answer:  # noqa: S310
        counts: dict[str, Any] = json.loads(answer.read())["counts"]
    return counts
