"""Topics, subscriptions and messages as SNS knows them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lambdad.neighbours import patterns

SERVICE = "sns.amazonaws.com"
BODY = "MessageBody"
_OWNER_ACTIONS = (
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
)


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic; its attributes are those that were set."""

    account_id: str
    region: str
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Of the topic."""
        return f"arn:aws:sns:{self.region}:{self.account_id}:{self.name}"

    @property
    def policy(self) -> dict[str, Any]:
        """Its policy; AWS gives each topic one that lets its owner do everything."""
        text = self.attributes.get("Policy")
        if text:
            document: dict[str, Any] = json.loads(text)
            return document
        return {
            "Version": "2008-10-17",
            "Id": "__default_policy_ID",
            "Statement": [
                {
                    "Sid": "__default_statement_ID",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": list(_OWNER_ACTIONS),
                    "Resource": self.arn,
                    "Condition": {"StringEquals": {"AWS:SourceOwner": self.account_id}},
                }
            ],
        }

    @property
    def fifo(self) -> bool:
        """Whether it keeps the order of a group."""
        return self.attributes.get("FifoTopic") == "true"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A subscription.

    Attributes:
        pending: nobody has confirmed it.
        token: what confirms it.
    """

    arn: str
    topic_arn: str
    owner: str
    protocol: str
    endpoint: str
    pending: bool
    token: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bool:
        """Whether the endpoint gets the message alone."""
        return self.attributes.get("RawMessageDelivery") == "true"

    @property
    def dead_letter(self) -> str | None:
        """ARN of the queue for what could not be delivered."""
        text = self.attributes.get("RedrivePolicy")
        return str(json.loads(text)["deadLetterTargetArn"]) if text else None

    @cached_property
    def filter(self) -> patterns.Pattern | None:
        """Which messages it wants, or None for all."""
        text = self.attributes.get("FilterPolicy")
        return patterns.parse(text) if text and json.loads(text) else None

    @property
    def by_body(self) -> bool:
        """Whether the filter looks at the message and not at its attributes."""
        return self.attributes.get("FilterPolicyScope") == BODY


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message on its way to subscribers.

    Attributes:
        text: as it was published.
        by_protocol: what some protocols get instead.
        attributes: `{name: {"DataType": …, "StringValue": … or "BinaryValue": bytes}}`.
        sequence: of a FIFO topic.
        signature_version: as the topic says.
    """

    id: str
    text: str
    time_ms: int
    subject: str | None = None
    by_protocol: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    group: str | None = None
    deduplication_id: str | None = None
    sequence: str | None = None
    trace: str | None = None
    signature_version: str = "1"

    def for_protocol(self, protocol: str) -> str:
        """Return what a protocol's endpoints get."""
        return self.by_protocol.get(protocol, self.by_protocol.get("default", self.text))
