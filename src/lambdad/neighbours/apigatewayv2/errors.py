"""API Gateway's errors, by their names in the service model."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class BadRequestException(ServiceException):
    """The request is not acceptable."""


class ConflictException(ServiceException):
    """Something of that name is there already."""


class NotFoundException(ServiceException):
    """There is no such API, or no such part of one."""


def no_api(api_id: str) -> NotFoundException:
    """What is answered for an API that does not exist."""
    return NotFoundException(f"Invalid API identifier specified {api_id}")


def no_part(kind: str, identifier: str) -> NotFoundException:
    """What is answered for a part of an API that does not exist."""
    return NotFoundException(f"Unable to find {kind} by key {identifier} within the provided API")
