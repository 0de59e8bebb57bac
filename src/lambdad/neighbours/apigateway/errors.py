"""API Gateway's errors, by their names in the service model, and the texts that recur."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class BadRequestException(ServiceException):
    """The request is not acceptable."""


class ConflictException(ServiceException):
    """Something of that name is there already, or something else still needs this."""


class NotFoundException(ServiceException):
    """There is no such API, or no such part of one."""


def no_api(account_id: str, api_id: str) -> NotFoundException:
    """What is answered for an API that does not exist."""
    return NotFoundException(f"Invalid API identifier specified {account_id}:{api_id}")


def not_found(what: str) -> NotFoundException:
    """What is answered for most parts of an API, such as a `Resource`, that do not exist."""
    return NotFoundException(f"Invalid {what} identifier specified")


def refused(what: str, instead: str) -> BadRequestException:
    """What is answered for what lambdad does not do, and what to do instead."""
    return BadRequestException(f"{what} not served by lambdad. {instead}")
