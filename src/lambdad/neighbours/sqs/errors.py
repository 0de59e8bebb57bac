"""SQS's errors, by their names in the service model; further ones as the API reference has them."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class AccessDenied(ServiceException):
    """The caller may not do this with another account's queue."""


class BatchEntryIdsNotDistinct(ServiceException):
    """Two entries of a batch have the same id."""


class BatchRequestTooLong(ServiceException):
    """The messages of a batch are too long together."""


class EmptyBatchRequest(ServiceException):
    """A batch has no entries."""


class InvalidAttributeName(ServiceException):
    """There is no such queue attribute."""


class InvalidAttributeValue(ServiceException):
    """A queue attribute cannot have this value."""


class InvalidBatchEntryId(ServiceException):
    """An entry's id is too long or has other characters than allowed."""


class InvalidMessageContents(ServiceException):
    """A body has characters that XML cannot carry."""


class InvalidParameterValue(ServiceException):
    """A parameter is out of range or does not suit the queue."""


class MessageNotInflight(ServiceException):
    """The message is not in flight, so its timeout cannot be changed."""


class MissingParameter(ServiceException):
    """A parameter that is needed is missing."""


class OverLimit(ServiceException):
    """Too many messages are in flight."""


class PurgeQueueInProgress(ServiceException):
    """The queue was purged less than a minute ago."""


class QueueDoesNotExist(ServiceException):
    """There is no such queue."""


class QueueNameExists(ServiceException):
    """A queue of this name has other attributes."""


class ReceiptHandleIsInvalid(ServiceException):
    """A receipt handle is none of ours."""


class ResourceNotFoundException(ServiceException):
    """A queue or task that was named does not exist."""


class TooManyEntriesInBatchRequest(ServiceException):
    """A batch has more than ten entries."""


class UnsupportedOperation(ServiceException):
    """The operation does not suit the queue."""


def no_queue() -> QueueDoesNotExist:
    """The error for a queue that is not there."""
    return QueueDoesNotExist("The specified queue does not exist.")


def invalid(name: str, value: object, reason: str) -> InvalidParameterValue:
    """The error for a parameter that cannot have its value."""
    return InvalidParameterValue(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


def missing(name: str) -> MissingParameter:
    """The error for a parameter that was not sent."""
    return MissingParameter(f"The request must contain the parameter {name}.")
