"""Where subscriptions send to: functions, through the durable queue, and Kinesis streams."""

from __future__ import annotations

import hashlib
from uuid import uuid4

from lambdad.api.logs.service import InvalidParameterException, group_arn
from lambdad.controlplane.log_filters import Document
from lambdad.domain.clock import Clock
from lambdad.domain.logs import LogGroupKey
from lambdad.neighbours.delivery.clients import AwsCalls
from lambdad.neighbours.delivery.model import DeliveryFailed
from lambdad.neighbours.pushing import EventSource, FunctionPush, PushRefused
from lambdad.neighbours.subscriptions.messages import control_message, function_event

_VENDORS = ("kinesis", "lambda")
# A policy names the service with or without the region.
_PRINCIPALS = ("logs.amazonaws.com", "logs.{region}.amazonaws.com")


class Destinations:
    """Checks destinations and sends to them."""

    def __init__(self, functions: FunctionPush, calls: AwsCalls, clock: Clock) -> None:
        self._functions = functions
        self._calls = calls
        self._clock = clock

    async def check(self, key: LogGroupKey, document: Document) -> None:
        """See whether a subscription's destination would take its events.

        Raises:
            InvalidParameterException: it would not.
        """
        arn = document["destinationArn"]
        vendor = arn.split(":")[2] if arn.count(":") >= 5 else arn
        if vendor not in _VENDORS:
            raise InvalidParameterException(
                "PutSubscriptionFilter operation cannot work with destinationArn for vendor "
                f"{vendor}"
            )
        if vendor == "lambda":
            self._check_function(key, arn)
            return
        if document.get("roleArn") is None:
            raise InvalidParameterException(
                f"destinationArn for vendor {vendor} cannot be used without roleArn"
            )
        try:
            await self._put_record(key, arn, control_message(self._now_ms()), "control")
        except DeliveryFailed as failure:
            raise InvalidParameterException(
                "Could not deliver test message to specified Kinesis stream. Check if the given "
                "kinesis stream is in ACTIVE state. "
            ) from failure

    def _check_function(self, key: LogGroupKey, arn: str) -> None:
        if self._source(key, arn) is None:
            raise InvalidParameterException(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs "
                "permission to execute your function."
            )

    def _source(self, key: LogGroupKey, function_arn: str) -> EventSource | None:
        """Return as whom the function may be invoked, or None."""
        for principal in _PRINCIPALS:
            source = EventSource(
                service=principal.format(region=key.region),
                arn=f"{group_arn(key)}:*",
                account_id=key.account_id,
            )
            try:
                self._functions.check(function_arn, source)
            except PushRefused:
                continue
            return source
        return None

    async def send(self, key: LogGroupKey, document: Document, stream: str, message: bytes) -> None:
        """Send a message; it is durable there when this returns.

        Raises:
            DeliveryFailed: it is not; `final` if it never will be.
            PlatformError: it could not be stored now.
        """
        arn = document["destinationArn"]
        if arn.split(":")[2] == "kinesis":
            spread = document.get("distribution") == "Random"
            by_stream = hashlib.md5(stream.encode(), usedforsecurity=False).hexdigest()
            await self._put_record(key, arn, message, uuid4().hex if spread else by_stream)
            return
        source = self._source(key, arn)
        if source is None:
            raise DeliveryFailed("NO_PERMISSIONS", f"{arn} may not be invoked.", final=True)
        try:
            await self._functions.push(arn, function_event(message), source)
        except PushRefused as refused:
            raise DeliveryFailed(refused.code, str(refused), final=True) from refused

    async def _put_record(
        self, key: LogGroupKey, arn: str, message: bytes, partition_key: str
    ) -> None:
        await self._calls.call(
            "kinesis",
            key.account_id,
            arn.split(":")[3],
            "put_record",
            StreamARN=arn,
            Data=message,
            PartitionKey=partition_key,
        )

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1_000)
