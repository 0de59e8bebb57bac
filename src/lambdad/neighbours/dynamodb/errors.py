"""DynamoDB's errors, by their names in the service model, and its sentences that recur."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class ConditionalCheckFailedException(ServiceException):
    """A condition of a write did not hold."""


class IdempotentParameterMismatchException(ServiceException):
    """A client token came with another request than before."""


class InternalServerError(ServiceException):
    """The service failed."""


class LimitExceededException(ServiceException):
    """More is under way than may be."""


class PolicyNotFoundException(ServiceException):
    """The resource has no policy."""


class ResourceInUseException(ServiceException):
    """The table exists already, or is being changed."""


class ResourceNotFoundException(ServiceException):
    """The table, index or stream does not exist."""


class TransactionCanceledException(ServiceException):
    """Nothing of a transaction was done; CancellationReasons says why, in the order of actions."""


class DuplicateItemException(ServiceException):
    """A statement would insert an item that is there."""


class ValidationException(ServiceException):
    """The request is not acceptable."""


class ExpiredIteratorException(ServiceException):
    """A shard iterator is older than fifteen minutes."""


class TrimmedDataAccessException(ServiceException):
    """A record that was asked for is older than the stream keeps them."""


def invalid(reason: str) -> ValidationException:
    """The error for one or more parameters that do not fit."""
    return ValidationException(f"One or more parameter values were invalid: {reason}")


def no_table() -> ResourceNotFoundException:
    """The error for items of a table that is not there."""
    return ResourceNotFoundException("Requested resource not found")


def no_such_table(name: str) -> ResourceNotFoundException:
    """The error for a table that is not there."""
    return ResourceNotFoundException(f"Requested resource not found: Table: {name} not found")
