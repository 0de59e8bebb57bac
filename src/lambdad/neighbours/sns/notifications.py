"""What endpoints get: exactly the documents that SNS sends. Pure but for what signatures cost."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from lambdad.neighbours.delivery.courier import as_json
from lambdad.neighbours.sns.model import Message, Subscription
from lambdad.neighbours.sns.signing import Signer

_VERSION = "2010-03-31"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes documents with this daemon's address and signature."""

    base_url: str
    signer: Signer

    def for_function(self, subscription: Subscription, message: Message) -> str:
        """Return the event of a function."""
        told: dict[str, Any] = {
            "Type": "Notification",
            "MessageId": message.id,
            "TopicArn": subscription.topic_arn,
            "Subject": message.subject,
            "Message": message.for_protocol("lambda"),
            "Timestamp": timestamp(message.time_ms),
            "SignatureVersion": message.signature_version,
        }
        told |= {
            "Signature": self.signer.sign(told),
            "SigningCertUrl": self._certificate(),
            "UnsubscribeUrl": self._unsubscribe(subscription),
            "MessageAttributes": _told_attributes(message),
        }
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription.arn,
            "Sns": told,
        }
        return as_json({"Records": [record]})

    def notification(self, subscription: Subscription, message: Message) -> str:
        """Return what a queue or an HTTP endpoint gets that does not want messages raw."""
        sequence = {} if message.sequence is None else {"SequenceNumber": message.sequence}
        subject = {} if message.subject is None else {"Subject": message.subject}
        told: dict[str, Any] = {
            "Type": "Notification",
            "MessageId": message.id,
            **sequence,
            "TopicArn": subscription.topic_arn,
            **subject,
            "Message": message.for_protocol(subscription.protocol),
            "Timestamp": timestamp(message.time_ms),
            "SignatureVersion": message.signature_version,
        }
        told |= {
            "Signature": self.signer.sign(told),
            "SigningCertURL": self._certificate(),
            "UnsubscribeURL": self._unsubscribe(subscription),
        }
        if attributes := _told_attributes(message):
            told["MessageAttributes"] = attributes
        return _written(told)

    def confirmation(self, subscription: Subscription, message_id: str, time_ms: int) -> str:
        """Return what asks an HTTP endpoint to confirm."""
        arn = subscription.topic_arn
        query = {"TopicArn": arn, "Token": subscription.token}
        told: dict[str, Any] = {
            "Type": "SubscriptionConfirmation",
            "MessageId": message_id,
            "Token": subscription.token,
            "TopicArn": arn,
            "Message": f"You have chosen to subscribe to the topic {arn}.\nTo confirm the "
            "subscription, visit the SubscribeURL included in this message.",
            "SubscribeURL": self._url("ConfirmSubscription", query),
            "Timestamp": timestamp(time_ms),
            "SignatureVersion": "1",
        }
        told |= {"Signature": self.signer.sign(told), "SigningCertURL": self._certificate()}
        return _written(told)

    def sign_ahead(
        self, topic_arn: str, protocols: Iterable[str], messages: Iterable[Message]
    ) -> None:
        """Sign what subscribers will get: it takes too long for where that is written."""
        for message in messages:
            for protocol in protocols:
                self.signer.sign(_signed(topic_arn, message, protocol))

    def _unsubscribe(self, subscription: Subscription) -> str:
        return self._url("Unsubscribe", {"SubscriptionArn": subscription.arn})

    def _url(self, action: str, query: Mapping[str, str]) -> str:
        # Unsigned requests are known by their version.
        fields = {"Action": action, **query, "Version": _VERSION}
        return f"{self.base_url}/?{urlencode(fields, safe=':')}"

    def _certificate(self) -> str:
        return f"{self.base_url}{self.signer.path}"


def _signed(topic_arn: str, message: Message, protocol: str) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": message.id,
        "TopicArn": topic_arn,
        "Subject": message.subject,
        "Message": message.for_protocol(protocol),
        "Timestamp": timestamp(message.time_ms),
        "SignatureVersion": message.signature_version,
    }


def timestamp(epoch_ms: int) -> str:
    """Return a time as SNS writes it: `2026-01-01T00:00:00.000Z`."""
    moment = datetime.fromtimestamp(epoch_ms / 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1_000:03d}Z"


def _told_attributes(message: Message) -> dict[str, dict[str, str]]:
    return {
        name: {"Type": value["DataType"], "Value": _value(value)}
        for name, value in message.attributes.items()
    }


def _value(attribute: Mapping[str, Any]) -> str:
    if attribute["DataType"].startswith("Binary"):
        return base64.b64encode(attribute["BinaryValue"]).decode()
    return str(attribute["StringValue"])


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, separators=(",", " : "), ensure_ascii=False)
