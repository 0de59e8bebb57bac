"""A delivery on its way, and how one can fail. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.domain.errors import LambdadError

RETRIES = 185
AGE_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Where a delivery goes and how much it is worth.

    Attributes:
        arn: of the target, or an HTTP address.
        account_id: in whose name it is delivered.
        source: service, ARN and account that a function's policy must allow; None for a role.
        retries: how often it is tried again.
        age_s: how long it is tried at all.
        delay_s: before the first retry; it doubles with each.
        delay_max_s: it grows no further.
        dead_letter: ARN of the queue that gets what could not be delivered.
        labels: message attributes that a dead letter has, by name, all of type String.
        options: what the target needs beside the payload.
    """

    arn: str
    account_id: str
    source: tuple[str, str, str] | None = None
    retries: int = RETRIES
    age_s: int = AGE_S
    delay_s: float = 1.0
    delay_max_s: float = 480.0
    dead_letter: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A promised delivery.

    Attributes:
        id: 0 until it is stored.
        lane: deliveries of a lane share their limits; lanes do not wait for each other.
        ordered: those of the lane are made one after another, whatever happens to one.
        payload: text that is carried and not parsed.
        attempts: that failed.
    """

    lane: str
    envelope: Envelope
    payload: str
    accepted_ms: int
    due_ms: int
    id: int = 0
    ordered: bool = False
    attempts: int = 0


class DeliveryFailed(LambdadError):
    """A target did not take it.

    Attributes:
        code: as AWS's dead letters have it: `NO_PERMISSIONS`, `SDK_CLIENT_ERROR` …
        final: trying again changes nothing.
    """

    def __init__(self, code: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.final = final
