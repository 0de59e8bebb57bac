"""Scheduler's errors, by their names in the service model."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class ConflictException(ServiceException):
    """There is one of that name."""


class ResourceNotFoundException(ServiceException):
    """There is none of that name."""


class ValidationException(ServiceException):
    """A parameter is not acceptable."""
