"""Clients that change everything there is to change while their daemon dies time and again.

Each has a world of its own and goes through the script; what it knows is checked against the daemon
after every restart. A call that was not answered was carried out wholly or not at all.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import threading
import time
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions
from botocore import xform_name

from lambdad.testing.crash.observation import observe, settled_function
from lambdad.testing.crash.script import SCRIPT
from lambdad.testing.crash.world import Model, Step, World, nothing
from lambdad.testing.deploy import Deployer

# After these steps the client also calls the function.
_CALLED_AFTER = ("CreateFunction", "UpdateFunctionCode")


class Unanswered(Exception):
    """The daemon died before it answered."""


@dataclass
class Client:
    """One client. Mutable: where it is in the script, what it knows, what it waits for."""

    name: str
    at: int = 0
    round: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    known: Model = field(default_factory=nothing)
    in_flight: Step | None = None
    answered: Counter[str] = field(default_factory=Counter)
    in_doubt: Counter[str] = field(default_factory=Counter)

    @property
    def world(self) -> World:
        """Its names."""
        return World(self.name, self.round, self.ids)

    def work(self, user: Deployer, stop: threading.Event) -> None:
        """Go on in the script until told to stop, or until nobody answers.

        Raises:
            AssertionError: an answer was not what the script expects.
        """
        while not stop.is_set():
            step = SCRIPT[self.at]
            self.in_flight = step
            try:
                answer = _call(user, step, self.world, self.known)
            except Unanswered:
                return
            self._answered(step, answer)
            self.in_flight = None
            if step.operation in _CALLED_AFTER:
                self._invoke(user)

    def _answered(self, step: Step, answer: Any) -> None:
        self.answered[step.operation] += 1
        if step.operation == "CreateEventSourceMapping":
            self.ids["mapping"] = answer["UUID"]
        if step.operation == "CreateCodeSigningConfig":
            self.ids["signing"] = answer["CodeSigningConfig"]["CodeSigningConfigArn"]
        step.effect(self.world, self.known)
        self._advance()

    def _advance(self) -> None:
        self.at += 1
        if self.at == len(SCRIPT):
            self.at, self.round = 0, self.round + 1

    def _invoke(self, user: Deployer) -> None:
        """Call the function: what runs is what was deployed last."""
        try:
            # Until an update is over, the code before it runs.
            settled_function(user.lambda_, self.name)
            answer = user.lambda_.invoke(FunctionName=self.name)
            payload = json.loads(answer["Payload"].read())
        except botocore.exceptions.ClientError as error:
            raise AssertionError(f"{self.name} cannot be called: {error}") from error
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError):
            return
        which = "first" if SCRIPT[self.at - 1].operation == _CALLED_AFTER[0] else "second"
        assert payload == f"{which} {self.round}", payload

    def check(self, user: Deployer) -> None:
        """Compare what is known with what there is, and learn what became of the last call.

        Raises:
            AssertionError: something answered is not there, or something is there in part.
        """
        found, ids = observe(user, self.world)
        step, before = self.in_flight, self.known
        after = copy.deepcopy(before)
        if step is not None:
            step.effect(self.world, after)
            self.in_doubt[step.operation] += 1
        what = "between steps" if step is None else f"in {step.operation}"
        before.pop("now_ms", None)
        after.pop("now_ms", None)
        if found == before:
            pass
        elif found == after:
            self.known = after
            self._advance()
        else:
            raise AssertionError(
                f"{self.name} {what}: {_difference(before, found)}"
                + (f"; or {_difference(after, found)}" if step else "")
            )
        self.ids = ids
        self.in_flight = None
        if found["function"] is not None:
            _check_code(user, self.world, found)


def _call(user: Deployer, step: Step, world: World, model: Model) -> Any:
    model["now_ms"] = int(time.time() * 1_000)  # noqa: TID251 - log events are dated by the host
    client = user.lambda_ if step.service == "lambda" else user.logs
    call = getattr(client, xform_name(step.operation))
    try:
        # What they name has to be there, as on AWS; made as often as they are.
        if step.operation == "CreateEventSourceMapping":
            user.sqs.create_queue(QueueName=world.name)
        elif step.operation == "PutSubscriptionFilter":
            _ensure_stream(user, world.name)
        return call(**step.params(world, model))
    except botocore.exceptions.ClientError as error:
        raise AssertionError(f"{world.name}: {step.operation} was refused: {error}") from error
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError) as error:
        raise Unanswered from error


def _ensure_stream(user: Deployer, name: str) -> None:
    with contextlib.suppress(user.kinesis.exceptions.ResourceInUseException):
        user.kinesis.create_stream(StreamName=name, ShardCount=1)


def _check_code(user: Deployer, world: World, found: Model) -> None:
    """No function without its code: the package is there, and is what its digest says."""
    answer = user.lambda_.get_function(FunctionName=world.name)
    with urllib.request.urlopen(answer["Code"]["Location"]) as download:  # noqa: S310 - ours
        package = download.read()
    assert b64encode(hashlib.sha256(package).digest()).decode() == found["function"][0]
    called = user.lambda_.invoke(FunctionName=world.name)
    assert "FunctionError" not in called, called["Payload"].read()


def _difference(expected: Model, found: Model) -> str:
    facets = sorted(facet for facet in found if found[facet] != expected[facet])
    return ", ".join(f"{each}: {found[each]!r}, not {expected[each]!r}" for each in facets)


@dataclass
class ControlLedger:
    """What all clients know together."""

    clients: list[Client]

    @classmethod
    def of(cls, clients: int) -> ControlLedger:
        """So many clients at the beginning of the script."""
        return cls([Client(f"w{number}") for number in range(clients)])

    @contextmanager
    def load(self, user: Deployer) -> Iterator[None]:
        """Let all clients work while the body runs.

        Raises:
            AssertionError: a client was answered what it should not be.
        """
        stop = threading.Event()
        futures: list[Future[None]] = []
        with ThreadPoolExecutor(len(self.clients)) as pool:
            futures.extend(pool.submit(client.work, user, stop) for client in self.clients)
            try:
                yield
            finally:
                stop.set()
        for future in futures:
            future.result()

    def check(self, user: Deployer) -> None:
        """Check every world; see :meth:`Client.check`."""
        with ThreadPoolExecutor(len(self.clients)) as pool:
            for _ in pool.map(lambda client: client.check(user), self.clients):
                pass

    def answered(self) -> Counter[str]:
        """How often each operation was answered."""
        return sum((client.answered for client in self.clients), Counter())

    def in_doubt(self) -> Counter[str]:
        """How often the daemon died with each operation under way."""
        return sum((client.in_doubt for client in self.clients), Counter())
