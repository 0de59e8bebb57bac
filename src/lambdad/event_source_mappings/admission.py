"""Whether the source of a new mapping is there and can be polled.

Every refusal has AWS's own text where one is known. A service that does not answer now refuses
nothing: its mapping is stored, and shows what is wrong until it answers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.event_source_mappings import EventSourceMapping, SourceKind
from lambdad.event_source_mappings.base import AwsApi, AwsRefused, AwsUnreachable
from lambdad.storage.base import FunctionStore

_VERSION = re.compile(r"[0-9]+")
_WAIT_S = 5.0
_NOT_POLLED = {
    SourceKind.MSK: "Amazon MSK",
    SourceKind.SELF_MANAGED_KAFKA: "Self-managed Apache Kafka",
    SourceKind.MQ: "Amazon MQ",
    SourceKind.DOCUMENTDB: "Amazon DocumentDB",
}


class Admission:
    """Looks at sources, as the account of the function sees them."""

    def __init__(self, functions: FunctionStore, api_of: Callable[[str], AwsApi]) -> None:
        self._functions = functions
        self._api_of = api_of

    async def check(self, mapping: EventSourceMapping) -> None:
        """Refuse a mapping whose source cannot be polled.

        Raises:
            InvalidParameterValueException: it is not there, not polled here, or its messages come
                back before the function may have ended.
        """
        if (name := _NOT_POLLED.get(mapping.kind)) is not None:
            raise InvalidParameterValueException(
                f"{name} event sources are not polled by this version of lambdad. Send what they "
                "have to an SQS queue or a Kinesis stream, and map that to the function."
            )
        api = self._api_of(mapping.function.account_id)
        try:
            await _CHECKS[mapping.kind](self, api, mapping)
        except AwsUnreachable:
            return

    async def queue(self, api: AwsApi, mapping: EventSourceMapping) -> None:
        """Look at a queue."""
        arn = mapping.settings["EventSourceArn"]
        _, _, _, region, account_id, name = arn.split(":", 5)
        params = {
            "QueueUrl": f"/{account_id}/{name}",
            "AttributeNames": ["VisibilityTimeout"],
        }
        try:
            answer = await api.call("sqs", region, "GetQueueAttributes", params, timeout_s=_WAIT_S)
        except AwsRefused as error:
            raise InvalidParameterValueException(
                "Error occurred while ReceiveMessage. SQS Error Code: "
                f"{error.code}. SQS Error Message: {error.message}"
            ) from error
        visible_s = int(answer.get("Attributes", {}).get("VisibilityTimeout", 0))
        timeout_s = self._timeout_s(mapping)
        if timeout_s > visible_s:
            raise InvalidParameterValueException(
                f"Queue visibility timeout: {visible_s} seconds is less than Function timeout: "
                f"{timeout_s} seconds"
            )

    async def data_stream(self, api: AwsApi, mapping: EventSourceMapping) -> None:
        """Look at a stream of Kinesis."""
        arn = mapping.settings["EventSourceArn"].partition("/consumer/")[0]
        await _find(api, "kinesis", "DescribeStreamSummary", "StreamARN", arn)

    async def table_stream(self, api: AwsApi, mapping: EventSourceMapping) -> None:
        """Look at the stream of a table."""
        arn = mapping.settings["EventSourceArn"]
        await _find(api, "dynamodbstreams", "DescribeStream", "StreamArn", arn)

    def _timeout_s(self, mapping: EventSourceMapping) -> int:
        """The timeout of what is invoked; an alias is taken for the newest code."""
        qualifier = mapping.qualifier or ""
        version = (qualifier,) if _VERSION.fullmatch(qualifier) else ()
        function = self._functions.get(mapping.function, *version)
        return 0 if function is None else function.timeout_s


async def _find(api: AwsApi, service: str, operation: str, member: str, arn: str) -> None:
    region = arn.split(":")[3]
    try:
        await api.call(service, region, operation, {member: arn}, timeout_s=_WAIT_S)
    except AwsRefused as error:
        text = f"Stream not found: {arn}" if "NotFound" in error.code else str(error)
        raise InvalidParameterValueException(text) from error


_CHECKS: Mapping[SourceKind, Callable[[Admission, AwsApi, EventSourceMapping], Awaitable[None]]] = {
    SourceKind.SQS: Admission.queue,
    SourceKind.SQS_FIFO: Admission.queue,
    SourceKind.KINESIS: Admission.data_stream,
    SourceKind.DYNAMODB: Admission.table_stream,
}
