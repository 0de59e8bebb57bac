"""SNS's errors, by their names in the service model."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class AuthorizationErrorException(ServiceException):
    """The caller may not do this."""


class BatchEntryIdsNotDistinctException(ServiceException):
    """Two entries of a batch have the same id."""


class BatchRequestTooLongException(ServiceException):
    """The messages of a batch are too long together."""


class EmptyBatchRequestException(ServiceException):
    """A batch has no entries."""


class InvalidBatchEntryIdException(ServiceException):
    """An entry's id is too long or has other characters than allowed."""


class InvalidParameterException(ServiceException):
    """A parameter is not acceptable."""


class InvalidParameterValueException(ServiceException):
    """A message attribute is not acceptable."""


class NotFoundException(ServiceException):
    """There is no such topic or subscription."""


class ResourceNotFoundException(ServiceException):
    """There is nothing that could have tags."""


class TagLimitExceededException(ServiceException):
    """There would be too many tags."""


class TooManyEntriesInBatchRequestException(ServiceException):
    """A batch has more than ten entries."""


def invalid(reason: str) -> InvalidParameterException:
    """The error for a parameter that is not acceptable."""
    return InvalidParameterException(f"Invalid parameter: {reason}")


def no_topic() -> NotFoundException:
    """The error for a topic that is not there."""
    return NotFoundException("Topic does not exist")


def no_subscription() -> NotFoundException:
    """The error for a subscription that is not there."""
    return NotFoundException("Subscription does not exist")
