"""Takes records and dead letters to their targets.

A function gets its record as an event of its own; everything else is reached through the AWS API
of the configured endpoint. Whether and when to try again is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.session import Session

from lambdad.async_invocation.destinations import DEAD_LETTER
from lambdad.async_invocation.policies import EventPolicies
from lambdad.domain import limits
from lambdad.domain.arns import LATEST, FunctionKey, parse_function_reference
from lambdad.domain.async_events import AsyncEvent, EventKind, invocation_lane
from lambdad.domain.clock import Clock

# One slow target holds up one thread; its lane keeps it from taking many.
THREADS = 8
CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 10


class DeliveryFailed(Exception):
    """The target did not take it; the text says why."""


def _by_name(account_id: str) -> tuple[str, str]:
    """Name the account and prove nothing: enough where nothing is checked."""
    return account_id, "lambdad"


class AwsCourier:
    """See `attempts.Courier`. Mutable: clients by service, account and region."""

    def __init__(
        self,
        endpoint_url: str,
        *,
        policies: EventPolicies,
        clock: Clock,
        access_key: Callable[[str], tuple[str, str]] = _by_name,
    ) -> None:
        """`access_key` returns an account's access key id and secret for that endpoint."""
        self._endpoint_url = endpoint_url
        self._access_key = access_key
        self._policies = policies
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="deliver")
        self._session: Session | None = None
        self._clients: dict[tuple[str, str, str], Any] = {}

    def close(self) -> None:
        """Begin no more deliveries; those under way end by their timeouts."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def deliver(self, event: AsyncEvent) -> AsyncEvent | None:
        """Deliver once."""
        parts = (event.target or "").split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":
            raise DeliveryFailed(f"{event.target} is no ARN.")
        service = parts[2]
        if service == "lambda":
            return self._invocation(event)
        send = _SENDERS.get((service, event.details.get("form") == DEAD_LETTER))
        if send is None:
            raise DeliveryFailed(f"{event.target} is nothing that can be delivered to.")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._send, send, service, parts, event)
        return None

    def _invocation(self, event: AsyncEvent) -> AsyncEvent:
        reference = parse_function_reference(event.target or "")
        if reference is None or reference.account_id is None or reference.region is None:
            raise DeliveryFailed(f"{event.target} is no function's ARN.")
        key = FunctionKey(
            account_id=reference.account_id, region=reference.region, name=reference.name
        )
        if not self._policies.exists(key):
            raise DeliveryFailed(f"Function not found: {event.target}")
        if len(event.payload) > limits.ASYNC_EVENT_BYTES_MAX:
            raise DeliveryFailed(
                f"The record has {len(event.payload)} bytes, an event at most "
                f"{limits.ASYNC_EVENT_BYTES_MAX}."
            )
        qualifier = reference.qualifier
        return AsyncEvent(
            kind=EventKind.INVOCATION,
            lane=invocation_lane(key),
            key=key,
            qualifier=None if qualifier == LATEST else qualifier,
            request_id=str(uuid4()),
            payload=event.payload,
            accepted_ms=int(self._clock.time() * 1_000),
            trace_header=event.trace_header,
        )

    def _send(self, send: Sender, service: str, parts: list[str], event: AsyncEvent) -> None:
        # A bucket's ARN names neither account nor region: they are the function's.
        account_id = parts[4] or event.key.account_id
        region = parts[3] or event.key.region
        try:
            send(self._client(service, event.key.account_id, region), account_id, parts[5], event)
        except (ClientError, BotoCoreError, HTTPClientError) as error:
            raise DeliveryFailed(f"{service} did not take it: {error}") from error

    def _client(self, service: str, account_id: str, region: str) -> Any:
        name = (service, account_id, region)
        client = self._clients.get(name)
        if client is None:
            if self._session is None:
                nothing: Any = (None, None, None, None)
                self._session = Session(session_vars={"profile": nothing, "config_file": nothing})
            access_key, secret = self._access_key(account_id)
            client = self._clients[name] = self._session.create_client(
                service,
                endpoint_url=self._endpoint_url,
                region_name=region,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret,
                config=Config(
                    retries={"total_max_attempts": 1},
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=READ_TIMEOUT_S,
                    proxies={},
                    s3={"addressing_style": "path"},
                ),
            )
        return client


Sender = Callable[[Any, str, str, AsyncEvent], None]


def _attributes(event: AsyncEvent) -> Mapping[str, Mapping[str, str]]:
    """The message attributes of a dead letter; values may not be empty."""
    kinds = {"RequestID": "String", "ErrorCode": "Number", "ErrorMessage": "String"}
    return {
        name: {"DataType": kind, "StringValue": event.details[name]}
        for name, kind in kinds.items()
        if event.details.get(name)
    }


def _queue_url(client: Any, account_id: str, name: str) -> str:
    return f"{client.meta.endpoint_url.rstrip('/')}/{account_id}/{name}"


def _to_queue(client: Any, account_id: str, name: str, event: AsyncEvent) -> None:
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": event.trace_header or ""}}
    client.send_message(
        QueueUrl=_queue_url(client, account_id, name),
        MessageBody=event.payload.decode(),
        **({"MessageSystemAttributes": system} if event.trace_header else {}),
    )


def _dead_letter_to_queue(client: Any, account_id: str, name: str, event: AsyncEvent) -> None:
    client.send_message(
        QueueUrl=_queue_url(client, account_id, name),
        MessageBody=event.payload.decode(),
        MessageAttributes=_attributes(event),
    )


def _to_topic(client: Any, account_id: str, name: str, event: AsyncEvent) -> None:
    client.publish(TopicArn=event.target, Message=event.payload.decode())


def _dead_letter_to_topic(client: Any, account_id: str, name: str, event: AsyncEvent) -> None:
    client.publish(
        TopicArn=event.target,
        Message=event.payload.decode(),
        MessageAttributes=_attributes(event),
    )


def _to_bus(client: Any, account_id: str, name: str, event: AsyncEvent) -> None:
    function_arn = event.key.arn(event.qualifier or LATEST)
    answer = client.put_events(
        Entries=[
            {
                "EventBusName": event.target,
                "Source": "lambda",
                "DetailType": "Lambda Function Invocation Result - " + event.details["outcome"],
                "Resources": [event.target, function_arn],
                "Detail": event.payload.decode(),
            }
        ]
    )
    if answer.get("FailedEntryCount"):
        raise DeliveryFailed(f"events did not take it: {answer['Entries']}")


def _to_bucket(client: Any, account_id: str, name: str, event: AsyncEvent) -> None:
    client.put_object(Bucket=name, Key=event.details["object_key"], Body=event.payload)


_SENDERS: Mapping[tuple[str, bool], Sender] = {
    ("sqs", False): _to_queue,
    ("sqs", True): _dead_letter_to_queue,
    ("sns", False): _to_topic,
    ("sns", True): _dead_letter_to_topic,
    ("events", False): _to_bus,
    ("s3", False): _to_bucket,
}
