"""Whether the source of a new mapping is there and can be polled.

Every refusal has AWS's own text where one is known. A service that does not answer now refuses
nothing: its mapping is stored, and shows what is wrong until it answers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.event_source_mappings import BROKERS, EventSourceMapping, SourceKind
from lambdad.event_source_mappings.base import AwsApi, AwsRefused, AwsUnreachable
from lambdad.event_source_mappings.brokers import Brokers, Speaks
from lambdad.event_source_mappings.clients import missing_client
from lambdad.storage.base import FunctionStore

_VERSION = re.compile(r"[0-9]+")
_WAIT_S = 5.0
_INSTEAD = "Send what it has to an SQS queue or a Kinesis stream, and map that to the function."
# A function has to end before the source takes back what was handed over.
_TIMEOUT_S_MAX = 840


class Admission:
    """Looks at sources, as the account of the function sees them."""

    def __init__(
        self, functions: FunctionStore, api_of: Callable[[str], AwsApi], brokers: Brokers
    ) -> None:
        self._functions = functions
        self._api_of = api_of
        self._brokers = brokers

    async def check(self, mapping: EventSourceMapping) -> None:
        """Refuse a mapping whose source cannot be polled.

        Raises:
            InvalidParameterValueException: it is not there, not polled here, or its messages come
                back before the function may have ended.
        """
        if mapping.kind is SourceKind.DOCUMENTDB:
            raise InvalidParameterValueException(
                "Amazon DocumentDB event sources are not polled by this version of lambdad. "
                f"{_INSTEAD}"
            )
        if mapping.kind in BROKERS:
            self._broker(mapping)
            return
        api = self._api_of(mapping.function.account_id)
        try:
            await _CHECKS[mapping.kind](self, api, mapping)
        except AwsUnreachable:
            return

    def _broker(self, mapping: EventSourceMapping) -> None:
        """Look whether a broker is known and there is a client for it; it is not asked."""
        timeout_s = self._timeout_s(mapping)
        if timeout_s > _TIMEOUT_S_MAX:
            raise InvalidParameterValueException(
                f"Function timeout: {timeout_s} seconds is more than the {_TIMEOUT_S_MAX} seconds "
                "that functions of this event source may have."
            )
        arn = mapping.settings.get("EventSourceArn")
        speaks = Speaks.KAFKA if arn is None else self._brokers.speaks(arn)
        if speaks is None:
            raise InvalidParameterValueException(
                f"lambdad does not know where the brokers of {arn} are. Write their addresses into "
                "the table [brokers] of its settings, and restart it."
            )
        wanted = Speaks.RABBITMQ if mapping.kind is SourceKind.MQ else Speaks.KAFKA
        if speaks is not wanted:
            raise InvalidParameterValueException(
                f"{arn} is {speaks} by its address in the table [brokers]. Of Amazon MQ's brokers "
                f"lambdad polls those of RabbitMQ, not those of ActiveMQ. {_INSTEAD}"
                if mapping.kind is SourceKind.MQ
                else f"{arn} is {speaks} by its address in the table [brokers], and not Kafka."
            )
        if (text := missing_client(mapping.kind)) is not None:
            raise InvalidParameterValueException(text)

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
