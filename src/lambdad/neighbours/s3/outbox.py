"""Hands notifications over, in the background, at least once.

What was accepted with a change is in the database. Functions get it through their queue; queues,
topics and the event bus through the AWS API, or directly where the queue is lambdad's own.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from lambdad.domain.errors import HostUnfit, LambdadError, PlatformError
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.pushing import EventSource, PushRefused
from lambdad.neighbours.resource_policies import lets_service
from lambdad.neighbours.s3 import outbox_rows
from lambdad.neighbours.s3.outbox_rows import Message
from lambdad.storage.database import Database

_LOGGER = logging.getLogger(__name__)
_GIVE_UP_MS = 24 * 3600 * 1_000
_BACK_OFF_MS = (1_000, 5_000, 30_000, 60_000, 300_000)
_TROUBLE_MS = 5_000
_THREADS = 4
_SERVICE = "s3.amazonaws.com"


class Outbox:
    """Mutable: clients by service, account and region, and whether there is something to do."""

    def __init__(self, db: Database, setup: Setup) -> None:
        self._db = db
        self._setup = setup
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3-notify")
        self._session: Session | None = None
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._due = asyncio.Event()
        self._due.set()
        self._closing = False
        self._stopped = asyncio.Event()

    def wake(self) -> None:
        """There is a new notification."""
        self._due.set()

    async def close(self) -> None:
        """Begin no more; what is left goes out after the next start."""
        self._closing = True
        self._due.set()
        await self._stopped.wait()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self) -> None:
        """Hand over until closed."""
        try:
            while not self._closing:
                self._due.clear()
                try:
                    following_ms = await self._round()
                except PlatformError:
                    _LOGGER.exception("notifications wait: their database cannot be used")
                    following_ms = self._now_ms() + _TROUBLE_MS
                if following_ms is None:
                    await self._due.wait()
                    continue
                try:
                    async with asyncio.timeout(max(0, following_ms - self._now_ms()) / 1_000):
                        await self._due.wait()
                except TimeoutError:
                    continue
        finally:
            self._stopped.set()

    def _now_ms(self) -> int:
        return int(self._setup.clock.time() * 1_000)

    async def _round(self) -> int | None:
        """Hand over what is due; returns when there is more to do."""
        while not self._closing:
            messages, following_ms = await self._db.read(
                partial(outbox_rows.due, now_ms=self._now_ms())
            )
            if not messages:
                return following_ms
            outcomes = await asyncio.gather(*map(self._hand_over, messages))
            await self._settle(messages, outcomes)
        return None

    async def _settle(self, messages: Sequence[Message], outcomes: Sequence[bool]) -> None:
        now_ms = self._now_ms()
        done, again = [], []
        for message, delivered in zip(messages, outcomes, strict=True):
            if delivered:
                done.append(message.id)
            elif now_ms - message.accepted_ms > _GIVE_UP_MS:
                _LOGGER.error("a notification for %s could not be delivered", message.target)
                done.append(message.id)
            else:
                wait_ms = _BACK_OFF_MS[min(message.tries, len(_BACK_OFF_MS) - 1)]
                again.append((message.id, now_ms + wait_ms))
        await self._db.write(partial(outbox_rows.settle, done=done, again=again))

    async def _hand_over(self, message: Message) -> bool:
        """Whether it is done: delivered, or never to be."""
        service = message.target.split(":")[2]
        try:
            if service == "lambda":
                await self._to_function(message)
            elif not await self._to_neighbour(service, message):
                send = partial(self._send, service, message)
                await asyncio.get_running_loop().run_in_executor(self._threads, send)
        except PushRefused as refused:
            _LOGGER.warning("%s is not notified: %s", message.target, refused)
        except (PlatformError, ClientError, BotoCoreError, RuntimeError) as error:
            _LOGGER.warning("%s could not be notified yet: %s", message.target, error)
            return False
        except Exception:
            _LOGGER.exception("%s could not be notified yet", message.target)
            return False
        return True

    async def _to_function(self, message: Message) -> None:
        arn, account_id, _ = message.source.split("|")
        source = EventSource(service=_SERVICE, arn=arn, account_id=account_id)
        await self._setup.functions.push(message.target, message.payload.encode(), source)

    async def _to_neighbour(self, service: str, message: Message) -> bool:
        """Whether the target is of a service of lambdad's own that takes more than its API does."""
        if service == "sqs":
            return await self._to_own_queue(message)
        if service == "sns":
            bucket, account_id, _ = message.source.split("|")
            refused = await self.problem_of(message.target, (bucket, account_id))
            if refused is not None:
                _LOGGER.warning("%s is not notified: %s", message.target, refused)
            return refused is not None
        return service == "events" and await self._to_own_bus(message)

    async def _to_own_bus(self, message: Message) -> bool:
        """Whether the event bus is lambdad's own; its API takes no events of AWS's services."""
        try:
            buses = await self._setup.neighbour("events")
        except HostUnfit:
            return False
        # Loaded by now; nobody else needs to have it.
        from lambdad.neighbours.events.deliveries import Arrival  # noqa: PLC0415
        from lambdad.neighbours.events.model import BusKey  # noqa: PLC0415

        event = json.loads(message.payload)
        bus = BusKey(account_id=event["account"], region=event["region"], name="default")
        await buses.accept([Arrival(bus=bus, event=event)])
        return True

    async def problem_of(self, arn: str, source: tuple[str, str]) -> str | None:
        """Say why a queue or topic may not be told, as far as lambdad can tell.

        `source` are the bucket's ARN and account. What is somebody else's may be anything.
        """
        service = arn.split(":")[2]
        try:
            parts = await self._setup.neighbour(service)
        except HostUnfit:
            return None
        if service == "sqs":
            queue = parts.by_arn(arn)
            if queue is None:
                return "The destination queue does not exist"
            policy, action = queue.attributes.get("Policy"), "sqs:SendMessage"
        else:
            policy, action = parts.policy(arn), "sns:Publish"
            if policy is None:
                return "The destination topic does not exist"
        if lets_service(policy, action=action, resource=arn, source=(_SERVICE, *source)):
            return None
        return f"Permissions on the destination do not allow {_SERVICE} to do {action} on it"

    async def _to_own_queue(self, message: Message) -> bool:
        """Whether the queue is lambdad's own; then it has the message."""
        try:
            queues = await self._setup.neighbour("sqs")
        except HostUnfit:
            return False
        bucket, account_id, _ = message.source.split("|")
        refused = await self.problem_of(message.target, (bucket, account_id))
        if refused is not None:
            _LOGGER.warning("%s is not notified: %s", message.target, refused)
            return True
        try:
            await queues.deliver(message.target, message.payload, sender="AIDAS3NOTIFICATIONS")
        except PlatformError:
            raise
        except LambdadError as gone:
            _LOGGER.warning("%s is not notified: %s", message.target, gone)
        return True

    def _send(self, service: str, message: Message) -> None:
        _, account_id, region = message.source.split("|")
        _, _, _, own_region, owner, name = message.target.split(":", 5)
        client = self._client(service, account_id, own_region or region)
        if service == "sqs":
            url = f"{client.meta.endpoint_url.rstrip('/')}/{owner}/{name}"
            client.send_message(QueueUrl=url, MessageBody=message.payload)
        elif service == "sns":
            client.publish(
                TopicArn=message.target,
                Message=message.payload,
                Subject="Amazon S3 Notification",
            )
        else:
            event = json.loads(message.payload)
            entry = {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Resources": event["resources"],
                "Detail": json.dumps(event["detail"]),
            }
            answer = client.put_events(Entries=[entry])
            if answer.get("FailedEntryCount"):
                raise RuntimeError(f"the event bus did not take it: {answer['Entries']}")

    def _client(self, service: str, account_id: str, region: str) -> Any:
        name = (service, account_id, region)
        client = self._clients.get(name)
        if client is None:
            if self._session is None:
                nothing: Any = (None, None, None, None)
                self._session = Session(session_vars={"profile": nothing, "config_file": nothing})
            access_key, secret = self._setup.access_key(account_id)
            client = self._clients[name] = self._session.create_client(
                service,
                endpoint_url=self._setup.endpoint_url,
                region_name=region,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret,
                config=Config(
                    retries={"total_max_attempts": 1},
                    connect_timeout=3,
                    read_timeout=10,
                    proxies={},
                ),
            )
        return client
