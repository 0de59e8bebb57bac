"""Takes payloads to AWS targets: functions, queues, topics, buses, streams, log groups.

A function gets its event through the durable queue of asynchronous invocations, a queue of ours
directly; everything else is reached through the AWS API of lambdad's endpoint, so that it may be
anybody's. When and how often is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.delivery.clients import AwsCalls
from lambdad.neighbours.delivery.model import DeliveryFailed, Envelope
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.pushing import EventSource, PushRefused
from lambdad.neighbours.resource_policies import Policy, lets_service

_Send = Callable[[Envelope, list[str], str], Awaitable[None]]


class Courier:
    """See `outbox.Sender`. Its targets are ARNs."""

    def __init__(self, setup: Setup, name: str) -> None:
        """`name` is the delivering service's."""
        self._setup = setup
        self._calls = AwsCalls(setup.endpoint_url, setup.access_key, name)
        self._senders: Mapping[str, _Send] = {
            "events": self._to_bus,
            "firehose": self._to_firehose,
            "kinesis": self._to_stream,
            "lambda": self._to_function,
            "logs": self._to_logs,
            "sns": self._to_topic,
            "sqs": self._to_queue,
            "states": self._to_state_machine,
        }

    def close(self) -> None:
        """Begin no more calls."""
        self._calls.close()

    def knows(self, arn: str) -> bool:
        """Whether a target of this kind can be delivered to."""
        parts = arn.split(":", 5)
        return len(parts) == 6 and parts[2] in self._senders

    async def deliver(self, envelope: Envelope, payload: str) -> None:
        """Deliver once.

        Raises:
            DeliveryFailed: the target did not take it.
        """
        parts = envelope.arn.split(":", 5)
        send = self._senders.get(parts[2]) if len(parts) == 6 else None
        if send is None:
            raise DeliveryFailed(
                "INVALID_TARGET", f"{envelope.arn} is nothing to deliver to.", final=True
            )
        await send(envelope, parts, payload)

    async def _to_function(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        source = None
        if envelope.source is not None:
            service, arn, account_id = envelope.source
            source = EventSource(service=service, arn=arn, account_id=account_id)
        try:
            await self._setup.functions.push(
                envelope.arn, payload.encode(), source, trace=envelope.options.get("trace")
            )
        except PushRefused as refused:
            raise DeliveryFailed(refused.code, str(refused), final=True) from refused

    async def _to_queue(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        options = envelope.options
        attributes = {
            name: _decoded(value) for name, value in options.get("attributes", {}).items()
        }
        group, duplicate = options.get("group"), options.get("deduplication_id")
        try:
            queues = await self._setup.neighbour("sqs")
        except HostUnfit:
            await self._calls.call(
                "sqs",
                envelope.account_id,
                parts[3],
                "send_message",
                QueueUrl=f"{self._setup.endpoint_url}/{parts[4]}/{parts[5]}",
                MessageBody=payload,
                MessageAttributes=attributes,
                **({"MessageGroupId": group} if group else {}),
                **({"MessageDeduplicationId": duplicate} if duplicate else {}),
            )
            return
        queue = queues.by_arn(envelope.arn)
        if queue is not None:
            _check(queue.attributes.get("Policy"), "sqs:SendMessage", envelope)
        problem = _problem(envelope.arn, queue, group, duplicate, payload)
        if problem is not None:
            raise problem
        if queue.fifo and not duplicate:
            duplicate = hashlib.sha256(payload.encode()).hexdigest()
        await queues.deliver(
            envelope.arn,
            payload,
            attributes=attributes,
            group=group,
            deduplication_id=duplicate if queue.fifo else None,
            sender=options.get("sender", ""),
        )

    async def _to_topic(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        options = envelope.options
        group = options.get("group")
        await self._check_topic(envelope)
        await self._calls.call(
            "sns",
            envelope.account_id,
            parts[3],
            "publish",
            TopicArn=envelope.arn,
            Message=payload,
            **({"Subject": subject[:100]} if (subject := options.get("subject")) else {}),
            **({"MessageGroupId": group} if group else {}),
        )

    async def _check_topic(self, envelope: Envelope) -> None:
        """Refuse what the policy of a topic of lambdad's own does not allow."""
        try:
            topics = await self._setup.neighbour("sns")
        except HostUnfit:
            return
        policy = topics.policy(envelope.arn)
        if policy is not None:
            _check(policy, "sns:Publish", envelope)

    async def _to_bus(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        """Put an event as `options` describe it; its payload is the detail."""
        entry = {"EventBusName": envelope.arn, "Detail": payload, **envelope.options["entry"]}
        answer = await self._calls.call(
            "events", envelope.account_id, parts[3], "put_events", Entries=[entry]
        )
        if answer.get("FailedEntryCount"):
            failed = answer["Entries"][0]
            raise DeliveryFailed(failed["ErrorCode"], failed["ErrorMessage"], final=True)

    async def _to_stream(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        await self._calls.call(
            "kinesis",
            envelope.account_id,
            parts[3],
            "put_record",
            StreamARN=envelope.arn,
            Data=payload.encode(),
            PartitionKey=envelope.options.get("partition_key") or "default",
        )

    async def _to_firehose(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        await self._calls.call(
            "firehose",
            envelope.account_id,
            parts[3],
            "put_record",
            DeliveryStreamName=parts[5].partition("/")[2],
            Record={"Data": payload.encode()},
        )

    async def _to_state_machine(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        await self._calls.call(
            "stepfunctions",
            envelope.account_id,
            parts[3],
            "start_execution",
            stateMachineArn=envelope.arn,
            input=payload,
        )

    async def _to_logs(self, envelope: Envelope, parts: list[str], payload: str) -> None:
        """Write one line to a stream of the group; `options` have the stream's name and time."""
        name = parts[5].removeprefix("log-group:").removesuffix(":*")
        stream, time_ms = str(envelope.options["stream"]), int(envelope.options["time_ms"])
        who = "logs", envelope.account_id, parts[3]
        place = {"logGroupName": name, "logStreamName": stream}
        event = {"timestamp": time_ms, "message": payload}
        try:
            await self._calls.call(*who, "create_log_stream", **place)
        except DeliveryFailed as failure:
            if "ResourceAlreadyExists" not in str(failure):
                raise
        await self._calls.call(*who, "put_log_events", **place, logEvents=[event])


def _decoded(attribute: Mapping[str, Any]) -> Mapping[str, Any]:
    """Binary values travel as Base64."""
    if "BinaryValue" not in attribute:
        return attribute
    return {**attribute, "BinaryValue": base64.b64decode(attribute["BinaryValue"])}


def _check(policy: Policy, action: str, envelope: Envelope) -> None:
    source = envelope.source
    if source is None or lets_service(policy, action=action, resource=envelope.arn, source=source):
        return
    raise DeliveryFailed(
        "NO_PERMISSIONS",
        f"The policy of {envelope.arn} does not let {source[0]} do {action} for {source[1]}.",
        final=True,
    )


def _problem(
    arn: str, queue: Any, group: str | None, duplicate: str | None, payload: str
) -> DeliveryFailed | None:
    """Return why a queue will never take a message."""
    if queue is None:
        return DeliveryFailed("RESOURCE_NOT_FOUND", f"The queue {arn} does not exist.", final=True)
    text = None
    if queue.fifo and not group:
        text = "The queue is FIFO and the target has no message group id."
    elif queue.fifo and not duplicate and queue.attributes["ContentBasedDeduplication"] != "true":
        text = "The queue is FIFO and does not deduplicate by content."
    elif len(payload.encode()) > queue.number("MaximumMessageSize"):
        text = "The message is longer than the queue takes."
    return None if text is None else DeliveryFailed("SDK_CLIENT_ERROR", text, final=True)


def as_json(value: Any) -> str:
    """Return a document as AWS writes it: compact, with all characters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
