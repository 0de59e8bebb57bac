"""Names on the wire that a service's model has lost and its older clients still use.

SQS moved from the query protocol to JSON; its model describes JSON alone since, while the service
goes on to serve both. Decides how lists and maps were called there, and the codes of errors, which
JSON clients get in `x-amzn-query-error` as well. Sources: SQS API reference, examples of requests
and responses; "AWS JSON protocol in Amazon SQS" of the developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_BAD = 400
_PREFIX = "AWS.SimpleQueueService."


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderNames:
    """What a model lacks for the query protocol.

    Attributes:
        errors: code and HTTP status by shape.
        namespace: of XML.
        members: name on the wire by shape, part (`member`, `members`, `key`, `value`) and member.
    """

    namespace: str
    errors: Mapping[str, tuple[str, int]]
    members: Mapping[tuple[str, str, str], str]


def _elements(**names: str) -> dict[tuple[str, str, str], str]:
    return {(shape, "member", ""): wire for shape, wire in names.items()}


def _members(wire: str, *owners: tuple[str, str]) -> dict[tuple[str, str, str], str]:
    return {(shape, "members", member): wire for shape, member in owners}


def _entries(key: str, value: str, *maps: str) -> dict[tuple[str, str, str], str]:
    return {
        (shape, part, ""): name for shape in maps for part, name in (("key", key), ("value", value))
    }


_SQS = OlderNames(
    namespace="http://queue.amazonaws.com/doc/2012-11-05/",
    errors={
        "BatchEntryIdsNotDistinct": (_PREFIX + "BatchEntryIdsNotDistinct", _BAD),
        "BatchRequestTooLong": (_PREFIX + "BatchRequestTooLong", _BAD),
        "EmptyBatchRequest": (_PREFIX + "EmptyBatchRequest", _BAD),
        "InvalidAddress": ("InvalidAddress", 404),
        "InvalidBatchEntryId": (_PREFIX + "InvalidBatchEntryId", _BAD),
        "InvalidSecurity": ("InvalidSecurity", 403),
        "KmsAccessDenied": ("KMS.AccessDeniedException", _BAD),
        "KmsDisabled": ("KMS.DisabledException", _BAD),
        "KmsInvalidKeyUsage": ("KMS.InvalidKeyUsageException", _BAD),
        "KmsInvalidState": ("KMS.InvalidStateException", _BAD),
        "KmsNotFound": ("KMS.NotFoundException", _BAD),
        "KmsOptInRequired": ("KMS.OptInRequired", 403),
        "KmsThrottled": ("KMS.ThrottlingException", _BAD),
        "MessageNotInflight": (_PREFIX + "MessageNotInflight", _BAD),
        "OverLimit": ("OverLimit", 403),
        "PurgeQueueInProgress": (_PREFIX + "PurgeQueueInProgress", 403),
        "QueueDeletedRecently": (_PREFIX + "QueueDeletedRecently", _BAD),
        "QueueDoesNotExist": (_PREFIX + "NonExistentQueue", _BAD),
        "QueueNameExists": ("QueueAlreadyExists", _BAD),
        "ReceiptHandleIsInvalid": ("ReceiptHandleIsInvalid", 404),
        "RequestThrottled": ("RequestThrottled", 403),
        "ResourceNotFoundException": ("ResourceNotFoundException", 404),
        "TooManyEntriesInBatchRequest": (_PREFIX + "TooManyEntriesInBatchRequest", _BAD),
        "UnsupportedOperation": (_PREFIX + "UnsupportedOperation", _BAD),
    },
    members={
        **_elements(
            AWSAccountIdList="AWSAccountId",
            ActionNameList="ActionName",
            AttributeNameList="AttributeName",
            BatchResultErrorEntryList="BatchResultErrorEntry",
            BinaryList="BinaryListValue",
            ChangeMessageVisibilityBatchRequestEntryList=(
                "ChangeMessageVisibilityBatchRequestEntry"
            ),
            ChangeMessageVisibilityBatchResultEntryList="ChangeMessageVisibilityBatchResultEntry",
            DeleteMessageBatchRequestEntryList="DeleteMessageBatchRequestEntry",
            DeleteMessageBatchResultEntryList="DeleteMessageBatchResultEntry",
            ListMessageMoveTasksResultEntryList="ListMessageMoveTasksResultEntry",
            MessageAttributeNameList="MessageAttributeName",
            MessageList="Message",
            MessageSystemAttributeList="MessageSystemAttributeName",
            QueueUrlList="QueueUrl",
            SendMessageBatchRequestEntryList="SendMessageBatchRequestEntry",
            SendMessageBatchResultEntryList="SendMessageBatchResultEntry",
            StringList="StringListValue",
            TagKeyList="TagKey",
        ),
        **_members(
            "Attribute",
            ("CreateQueueRequest", "Attributes"),
            ("GetQueueAttributesResult", "Attributes"),
            ("Message", "Attributes"),
            ("SetQueueAttributesRequest", "Attributes"),
        ),
        **_members(
            "MessageAttribute",
            ("Message", "MessageAttributes"),
            ("SendMessageBatchRequestEntry", "MessageAttributes"),
            ("SendMessageRequest", "MessageAttributes"),
        ),
        **_members(
            "MessageSystemAttribute",
            ("SendMessageBatchRequestEntry", "MessageSystemAttributes"),
            ("SendMessageRequest", "MessageSystemAttributes"),
        ),
        **_members(
            "Tag",
            ("CreateQueueRequest", "tags"),
            ("ListQueueTagsResult", "Tags"),
            ("TagQueueRequest", "Tags"),
        ),
        **_entries("Key", "Value", "TagMap"),
        **_entries(
            "Name",
            "Value",
            "MessageBodyAttributeMap",
            "MessageBodySystemAttributeMap",
            "MessageSystemAttributeMap",
            "QueueAttributeMap",
        ),
    },
)

OLDER_NAMES: Mapping[str, OlderNames] = {"sqs": _SQS}
