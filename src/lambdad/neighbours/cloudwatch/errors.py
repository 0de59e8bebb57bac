"""CloudWatch's errors, by their names in the service model."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class InvalidNextToken(ServiceException):
    """A token of a listing is none of ours."""


class InvalidParameterCombinationException(ServiceException):
    """Parameters exclude each other."""


class InvalidParameterValueException(ServiceException):
    """A parameter is out of range."""


class MissingRequiredParameterException(ServiceException):
    """A parameter that is needed is missing."""


class ResourceNotFound(ServiceException):
    """There is no such alarm."""


class ResourceNotFoundException(ServiceException):
    """There is no such alarm to be tagged."""


class ValidationException(ServiceException):
    """The parameters do not make an alarm."""
