"""Kinesis's errors, by their names in the service model."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class ExpiredIteratorException(ServiceException):
    """A shard iterator is older than five minutes."""


class ExpiredNextTokenException(ServiceException):
    """A token of a listing is older than five minutes."""


class InvalidArgumentException(ServiceException):
    """A parameter does not suit the stream."""


class LimitExceededException(ServiceException):
    """There would be too many of something."""


class ResourceInUseException(ServiceException):
    """There is one already, or it is busy."""


class ResourceNotFoundException(ServiceException):
    """There is no such stream, shard or consumer."""


class ValidationException(ServiceException):
    """The parameters do not go together."""


class DryRunOperationException(ServiceException):
    """The request would have been carried out."""


def no_stream(name: str, account_id: str) -> ResourceNotFoundException:
    """The error for a stream that is not there."""
    return ResourceNotFoundException(f"Stream {name} under account {account_id} not found.")


def no_shard(shard_id: str, stream: str, account_id: str) -> ResourceNotFoundException:
    """The error for a shard that is not there."""
    return ResourceNotFoundException(
        f"Shard {shard_id} in stream {stream} under account {account_id} does not exist"
    )
