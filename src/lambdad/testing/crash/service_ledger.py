"""A client that changes resources of every neighbouring service while its daemon dies.

As `ledger` has it for functions: what was answered is there after a restart, and a call that was
not answered was carried out wholly or not at all.
"""

from __future__ import annotations

import copy
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions
from botocore import xform_name

from lambdad.testing.crash.service_observation import Clients, observe_services
from lambdad.testing.crash.service_steps import SERVICE_SCRIPT, nothing_of_services
from lambdad.testing.crash.world import Model, Step, World

# What is answered before it is done: the next step waits for its end.
_LATER = tuple(
    f"{verb}{what}" for verb in ("Create", "Delete") for what in ("Stack", "Table", "Stream")
)


@dataclass
class ServiceLedger:
    """One client. Mutable: where it is in the script and what it knows."""

    name: str
    at: int = 0
    round: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    known: Model = field(default_factory=nothing_of_services)
    in_flight: Step | None = None
    answered: Counter[str] = field(default_factory=Counter)
    in_doubt: Counter[str] = field(default_factory=Counter)

    def work(self, clients: Clients, stop: threading.Event) -> None:
        """Go on in the script until told to stop, or until nobody answers.

        Raises:
            AssertionError: an answer was not what the script expects.
        """
        while not stop.is_set():
            step = SERVICE_SCRIPT[self.at]
            self.in_flight = step
            try:
                answer = self._call(clients, step)
                if step.operation in _LATER:
                    observe_services(clients, self._world)
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError):
                return
            if step.operation == "CreateApi":
                self.ids["api"] = answer["ApiId"]
            self.answered[f"{step.service}:{step.operation}"] += 1
            step.effect(self._world, self.known)
            self._advance()
            self.in_flight = None

    def check(self, clients: Clients) -> None:
        """Compare what is known with what there is, and learn what became of the last call.

        Raises:
            AssertionError: something answered is not there, or something is there in part.
        """
        found, self.ids = observe_services(clients, self._world)
        step, self.in_flight = self.in_flight, None
        after = copy.deepcopy(self.known)
        if step is not None:
            step.effect(self._world, after)
            self.in_doubt[f"{step.service}:{step.operation}"] += 1
        if found == self.known:
            return
        assert found == after, f"in {step.operation if step else 'no step'}: {found}, not {after}"
        self.known = after
        self._advance()

    @property
    def _world(self) -> World:
        return World(self.name, self.round, self.ids)

    def _advance(self) -> None:
        self.at += 1
        if self.at == len(SERVICE_SCRIPT):
            self.at, self.round = 0, self.round + 1

    def _call(self, clients: Clients, step: Step) -> Any:
        call = getattr(clients(step.service), xform_name(step.operation))
        try:
            return call(**step.params(self._world, self.known))
        except botocore.exceptions.ClientError as error:
            raise AssertionError(f"{step.operation} was refused: {error}") from error
