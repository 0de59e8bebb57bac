"""All topics of this daemon and who subscribes to them.

A message is accepted when all that subscribers are to get of it stands in the outbox, with one
transaction for a request. Mutable: what is loaded, on the event loop alone and only after the
database has changed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Self

from lambdad.domain.clock import Clock
from lambdad.neighbours import documents
from lambdad.neighbours.delivery import outbox_rows
from lambdad.neighbours.delivery.model import Delivery
from lambdad.neighbours.delivery.outbox import Outbox
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.sns import fifo_rows
from lambdad.neighbours.sns.deliveries import delivery_of
from lambdad.neighbours.sns.errors import no_subscription, no_topic
from lambdad.neighbours.sns.filters import wants
from lambdad.neighbours.sns.model import Message, Subscription, Topic
from lambdad.neighbours.sns.notifications import Writer
from lambdad.neighbours.sns.signing import KeyPair, Signer, new_pair
from lambdad.neighbours.sns.web import TopicCourier
from lambdad.storage.database import Database


class Topics:
    """What SNS's operations call."""

    def __init__(self, db: Database, clock: Clock, courier: TopicCourier, writer: Writer) -> None:
        self.db = db
        self.clock = clock
        self.writer = writer
        self.outbox = Outbox(db, clock, courier)
        self._courier = courier
        self._topics: dict[str, Topic] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._by_topic: dict[str, dict[str, Subscription]] = {}

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Load everything and go on with what was promised."""
        db = setup.database()
        await db.open()
        kept = await db.read(partial(documents.load, kind="key"))
        found = kept.get("certificate")
        if found is None:
            found = asdict(await asyncio.to_thread(new_pair, setup.clock.now()))
            await db.write(partial(documents.put, kind="key", key="certificate", document=found))
        writer = Writer(base_url=setup.endpoint_url, signer=Signer(KeyPair(**found)))
        topics = cls(db, setup.clock, TopicCourier(setup, "sns"), writer)
        for document in (await db.read(partial(documents.load, kind="topic"))).values():
            topics._keep(Topic(**document))
        for document in (await db.read(partial(documents.load, kind="subscription"))).values():
            topics._keep_subscription(Subscription(**document))
        topics.outbox.start(setup.spawn)
        return topics

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        await self.outbox.close()
        self._courier.close()
        await self.db.close()

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self.clock.time() * 1_000)

    def topics(self) -> list[Topic]:
        """Return every topic."""
        return list(self._topics.values())

    def topic(self, arn: str) -> Topic:
        """Return a topic.

        Raises:
            NotFoundException: there is none.
        """
        topic = self._topics.get(arn)
        if topic is None:
            raise no_topic()
        return topic

    def policy(self, arn: str) -> Mapping[str, Any] | None:
        """Return the policy of a topic; None when there is no such topic."""
        topic = self._topics.get(arn)
        return None if topic is None else topic.policy

    def subscriptions(self, topic_arn: str | None = None) -> list[Subscription]:
        """Return the subscriptions of a topic, or all."""
        if topic_arn is None:
            return list(self._subscriptions.values())
        return list(self._by_topic.get(topic_arn, {}).values())

    def subscription(self, arn: str) -> Subscription:
        """Return a subscription.

        Raises:
            NotFoundException: there is none.
        """
        subscription = self._subscriptions.get(arn)
        if subscription is None:
            raise no_subscription()
        return subscription

    async def put(self, topic: Topic) -> None:
        """Store a topic, in place of the one with its ARN."""
        job = partial(documents.put, kind="topic", key=topic.arn, document=asdict(topic))
        await self.db.write(job, then=lambda _: self._keep(topic))

    async def put_subscription(
        self, subscription: Subscription, deliveries: Sequence[Delivery] = ()
    ) -> None:
        """Store a subscription, and promise what comes of it."""
        document = asdict(subscription)

        def job(db: sqlite3.Connection) -> None:
            documents.put(db, "subscription", subscription.arn, document)
            outbox_rows.insert(db, deliveries)

        def then(_: None) -> None:
            self._keep_subscription(subscription)
            self.outbox.wake()

        await self.db.write(job, then=then)

    async def remove(self, topic: Topic) -> None:
        """Forget a topic with its subscriptions."""
        gone = self.subscriptions(topic.arn)

        def job(db: sqlite3.Connection) -> None:
            documents.remove(db, "topic", topic.arn)
            for each in gone:
                documents.remove(db, "subscription", each.arn)
            fifo_rows.forget(db, topic.arn)

        def then(_: None) -> None:
            self._topics.pop(topic.arn, None)
            for each in gone:
                self._drop(each)

        await self.db.write(job, then=then)

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        job = partial(documents.remove, kind="subscription", key=subscription.arn)
        await self.db.write(job, then=lambda _: self._drop(subscription))

    async def publish(self, topic: Topic, messages: Sequence[Message]) -> list[Message]:
        """Accept messages; returns them, or those that they repeat, with their sequences."""
        scope_is_group = topic.attributes.get("FifoThroughputScope") == "MessageGroup"
        subscriptions = [each for each in self.subscriptions(topic.arn) if not each.pending]
        version = topic.attributes.get("SignatureVersion") or "1"
        messages = [replace(each, signature_version=version) for each in messages]
        protocols = {each.protocol for each in subscriptions if not each.raw}
        if protocols:
            sign = self.writer.sign_ahead
            await asyncio.to_thread(sign, topic.arn, protocols, messages)
        now_ms = self.now_ms()

        def job(db: sqlite3.Connection) -> tuple[list[Message], list[Delivery]]:
            accepted, stored = [], []
            for message in messages:
                current, repeated = message, False
                if topic.fifo:
                    current, repeated = fifo_rows.number(
                        db, topic.arn, message, scope_is_group=scope_is_group, now_ms=now_ms
                    )
                accepted.append(current)
                if not repeated:
                    promised = self._deliveries(subscriptions, current, now_ms)
                    stored += outbox_rows.insert(db, promised)
            return accepted, stored

        accepted, _ = await self.db.write(job, then=lambda done: self.outbox.promised(done[1]))
        return accepted

    def _deliveries(
        self, subscriptions: Sequence[Subscription], message: Message, now_ms: int
    ) -> list[Delivery]:
        return [
            delivery_of(subscription, message, self.writer, now_ms)
            for subscription in subscriptions
            if wants(subscription, message)
        ]

    def _keep(self, topic: Topic) -> None:
        self._topics[topic.arn] = topic

    def _keep_subscription(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.arn] = subscription
        self._by_topic.setdefault(subscription.topic_arn, {})[subscription.arn] = subscription

    def _drop(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.arn, None)
        self._by_topic.get(subscription.topic_arn, {}).pop(subscription.arn, None)


def with_attributes(topic: Topic, attributes: Mapping[str, Any]) -> Topic:
    """Return a topic with other attributes; an empty text takes one back."""
    merged = {**topic.attributes, **attributes}
    return replace(topic, attributes={name: value for name, value in merged.items() if value})
